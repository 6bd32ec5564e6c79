# Signing in and the very first start
sign-in-title = Sign in
sign-in-lead = Sign in to see and build customer segments.
sign-in-email = E-mail
sign-in-password = Password
sign-in-enter = Sign in
sign-in-forgotten = Forgot your password? Ask an owner for a new one.
sign-in-welcome = Welcome to Gyul
sign-in-welcome-lead = Make the first owner of this server. Others can be invited later, in the settings.
sign-in-token = Setup token
sign-in-token-help = Printed once in the terminal where the server was started.
sign-in-name = Name
sign-in-password-help = At least 10 characters.
sign-in-begin = Start as owner
