# 로그인과 첫 시작
sign-in-title = 로그인
sign-in-lead = 고객 세그먼트를 보고 만들려면 로그인하세요.
sign-in-email = 이메일
sign-in-password = 비밀번호
sign-in-enter = 로그인
sign-in-forgotten = 비밀번호를 잊었다면 소유자에게 새 비밀번호를 요청하세요.
sign-in-welcome = 귤을 시작합니다
sign-in-welcome-lead = 이 서버의 첫 소유자를 만듭니다. 다른 사람은 나중에 설정에서 초대할 수 있습니다.
sign-in-token = 설정 토큰
sign-in-token-help = 서버를 시작한 터미널에 한 번 출력되었습니다.
sign-in-name = 이름
sign-in-password-help = 10자 이상으로 정하세요.
sign-in-begin = 소유자로 시작하기
