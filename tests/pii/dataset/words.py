"""What people and programs call each kind of value: words in sentences, keys in records."""

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "email": {
        "en": ("e-mail address", "email", "mail", "contact address"),
        "ko": ("이메일", "메일 주소", "이메일 주소"),
        "ja": ("メールアドレス", "メール", "連絡先"),
    },
    "phone": {
        "en": (
            "phone number",
            "phone",
            "cell",
            "mobile",
            "mobile number",
            "contact number",
            "telephone",
            "WhatsApp number",
        ),
        "ko": ("전화번호", "휴대폰 번호", "핸드폰", "연락처", "전화", "휴대전화"),
        "ja": ("電話番号", "携帯", "携帯番号", "お電話", "連絡先", "TEL"),
    },
    "card": {
        "en": ("card number", "credit card", "Visa card", "debit card number", "card", "payment card"),
        "ko": ("카드번호", "신용카드 번호", "카드", "체크카드 번호"),
        "ja": ("カード番号", "クレジットカード", "クレジットカード番号", "カード"),
    },
    "iban": {
        "en": ("IBAN", "bank account", "account", "international account number"),
        "ko": ("IBAN", "해외 계좌번호", "계좌"),
        "ja": ("IBAN", "口座番号", "海外口座"),
    },
    "ipv4": {
        "en": ("IP address", "client IP", "IP", "host", "server address"),
        "ko": ("IP 주소", "접속 IP", "아이피", "서버 주소"),
        "ja": ("IPアドレス", "接続元IP", "ホスト", "サーバー"),
    },
    "ipv6": {
        "en": ("IPv6 address", "IP address", "client IP", "host"),
        "ko": ("IPv6 주소", "접속 IP", "아이피"),
        "ja": ("IPv6アドレス", "接続元IP", "ホスト"),
    },
    "mac": {
        "en": ("MAC address", "hardware address", "device", "MAC"),
        "ko": ("MAC 주소", "맥 주소", "장치 주소"),
        "ja": ("MACアドレス", "物理アドレス", "端末"),
    },
    "us_ssn": {
        "en": ("SSN", "social security number", "Social Security No.", "social"),
        "ko": ("미국 사회보장번호", "SSN", "사회보장번호(SSN)"),
        "ja": ("社会保障番号", "SSN", "米国の社会保障番号"),
    },
    "us_itin": {
        "en": ("ITIN", "taxpayer identification number", "individual taxpayer number"),
        "ko": ("ITIN", "미국 납세자 번호", "납세자 식별번호(ITIN)"),
        "ja": ("ITIN", "納税者番号", "米国納税者番号(ITIN)"),
    },
    "kr_rrn": {
        "en": ("resident registration number", "RRN", "Korean resident number", "alien registration number"),
        "ko": ("주민번호", "주민등록번호", "외국인등록번호", "주민 번호"),
        "ja": ("住民登録番号", "韓国の住民登録番号", "外国人登録番号"),
    },
    "kr_brn": {
        "en": ("business registration number", "Korean business number", "BRN", "business number"),
        "ko": ("사업자등록번호", "사업자번호", "사업자 등록번호"),
        "ja": ("事業者登録番号", "韓国の事業者番号"),
    },
    "kr_driver_licence": {
        "en": ("driver's licence", "driver license number", "driving licence number", "licence number"),
        "ko": ("운전면허번호", "면허번호", "운전면허", "운전면허증 번호"),
        "ja": ("運転免許証番号", "免許番号", "運転免許"),
    },
    "kr_passport": {
        "en": ("passport number", "passport", "passport no."),
        "ko": ("여권번호", "여권", "여권 번호"),
        "ja": ("パスポート番号", "旅券番号", "パスポート"),
    },
    "jp_my_number": {
        "en": ("My Number", "individual number", "Japanese My Number"),
        "ko": ("마이넘버", "일본 개인번호", "마이넘버 번호"),
        "ja": ("マイナンバー", "個人番号", "マイナンバー番号"),
    },
    "openai_key": {"en": ("OpenAI key", "API key"), "ko": ("OpenAI 키", "API 키"), "ja": ("OpenAIのキー", "APIキー")},
    "anthropic_key": {
        "en": ("Anthropic key", "API key"),
        "ko": ("Anthropic 키", "API 키"),
        "ja": ("Anthropicのキー", "APIキー"),
    },
    "aws_key": {
        "en": ("AWS access key", "AWS key", "AWS secret key"),
        "ko": ("AWS 액세스 키", "AWS 키"),
        "ja": ("AWSアクセスキー", "AWSのキー"),
    },
    "google_key": {
        "en": ("Google API key", "Maps key"),
        "ko": ("구글 API 키", "지도 키"),
        "ja": ("Google APIキー", "地図のキー"),
    },
    "github_token": {
        "en": ("GitHub token", "personal access token"),
        "ko": ("깃허브 토큰", "토큰"),
        "ja": ("GitHubトークン", "トークン"),
    },
    "slack_token": {
        "en": ("Slack token", "bot token"),
        "ko": ("슬랙 토큰", "봇 토큰"),
        "ja": ("Slackのトークン", "ボットトークン"),
    },
    "stripe_key": {
        "en": ("Stripe key", "secret"),
        "ko": ("스트라이프 키", "결제 키"),
        "ja": ("Stripeのキー", "決済キー"),
    },
    "jwt": {
        "en": ("token", "session token", "JWT"),
        "ko": ("토큰", "세션 토큰"),
        "ja": ("トークン", "セッショントークン"),
    },
    "bearer_token": {
        "en": ("Authorization header", "Authorization", "header"),
        "ko": ("Authorization 헤더", "인증 헤더"),
        "ja": ("Authorizationヘッダー", "認証ヘッダー"),
    },
    "url_credentials": {
        "en": ("database URL", "connection string", "DSN"),
        "ko": ("DB 접속 주소", "접속 문자열"),
        "ja": ("接続先", "接続文字列"),
    },
    "private_key": {
        "en": ("private key", "key", "deploy key"),
        "ko": ("개인 키", "배포 키"),
        "ja": ("秘密鍵", "デプロイ鍵"),
    },
}

KEYS: dict[str, tuple[str, ...]] = {
    "email": ("email", "user_email", "contactEmail", "to", "reply_to"),
    "phone": ("phone", "phone_number", "mobile", "phoneNumber", "tel", "contact_phone"),
    "card": ("card_number", "cardNumber", "pan", "card", "cc_number"),
    "iban": ("iban", "account", "beneficiary_iban"),
    "ipv4": ("client.address", "ip", "remote_addr", "source_ip", "net.peer.ip"),
    "ipv6": ("client.address", "ip", "remote_addr", "source_ip"),
    "mac": ("mac", "device_mac", "hwaddr", "macAddress"),
    "us_ssn": ("ssn", "SSN", "social_security_number", "applicantSsn"),
    "us_itin": ("itin", "tax_id", "taxpayer_id"),
    "kr_rrn": ("rrn", "resident_registration_number", "주민번호", "주민등록번호"),
    "kr_brn": ("brn", "business_registration_number", "사업자등록번호", "business_number"),
    "kr_driver_licence": ("driver_license", "driver_licence_number", "운전면허번호", "licenseNumber"),
    "kr_passport": ("passport", "passport_number", "여권번호", "passportNumber"),
    "jp_my_number": ("my_number", "myNumber", "マイナンバー", "個人番号", "individual_number"),
    "openai_key": ("key", "OPENAI_API_KEY", "llm.key"),
    "anthropic_key": ("key", "ANTHROPIC_API_KEY", "x-api-key"),
    "aws_key": ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    "google_key": ("key", "GOOGLE_API_KEY", "maps_key"),
    "github_token": ("token", "GITHUB_TOKEN", "GH_TOKEN"),
    "slack_token": ("token", "SLACK_BOT_TOKEN", "bot"),
    "stripe_key": ("STRIPE_SECRET_KEY", "stripe", "webhook"),
    "jwt": ("token", "id_token", "session"),
    "bearer_token": ("Authorization", "authorization", "http.request.header.authorization"),
    "url_credentials": ("DATABASE_URL", "dsn", "url", "broker_url"),
    "private_key": ("key", "private_key", "ssh_key", "pem"),
}

AWS_SECRET_WORDS = {
    "en": ("AWS secret access key", "aws_secret_access_key"),
    "ko": ("AWS 시크릿 키", "aws_secret_access_key"),
    "ja": ("AWSシークレットキー", "aws_secret_access_key"),
}
AWS_SECRET_KEYS = ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey")
