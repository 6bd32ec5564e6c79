# 시작 페이지
start-title = 지금 우리 고객은
