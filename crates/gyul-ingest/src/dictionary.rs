//! What headers are usually called, Korean and English, by shop systems and by people.

use crate::mapping::{Kind, Role};

/// The form in which headers are compared: lower case letters and digits alone.
pub(crate) fn key(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Headers of a role, the likeliest first.
#[rustfmt::skip]
const ROLES: &[(Role, &[&str])] = &[
    (Role::Customer, &["customerid", "고객번호", "고객id", "고객아이디", "회원번호", "회원id", "회원아이디", "주문자id", "주문자아이디", "구매자id", "구매자아이디",
        "userid", "memberid", "customerno", "customernumber", "customer", "custid", "clientid", "buyerid", "ordererid", "ordererno", "accountid",
        "고객코드", "회원코드", "고객", "회원", "user", "member", "uid", "masterid", "distinctid", "externalid",
        "주문자이메일", "구매자이메일", "customeremail", "email", "이메일", "이메일주소", "주문자휴대전화", "주문자휴대폰", "구매자연락처", "anonymousid", "visitorid", "아이디"]),
    (Role::Order, &["invoiceno", "orderid", "orderno", "ordernumber", "주문번호", "주문id", "invoice", "invoiceid", "invoicenumber", "transactionid",
        "transactionno", "receiptno", "receiptid", "영수증번호", "거래번호", "전표번호", "basketid", "order", "checkoutid"]),
    (Role::Line, &["상품주문번호", "품목별주문번호", "주문상세번호", "orderitemid", "orderitemcode", "orderitemno", "orderlineid", "lineid", "lineitemid", "productorderid"]),
    (Role::Product, &["stockcode", "productid", "productcode", "productno", "상품코드", "상품번호", "상품id", "itemid", "itemcode", "품목코드", "품번", "sku",
        "skuid", "lineitemsku", "productsku", "판매자상품코드", "자체상품코드", "product"]),
    (Role::Name, &["productname", "상품명", "주문상품명", "itemname", "lineitemname", "품목명", "품명", "producttitle", "description", "title", "item"]),
    (Role::Category, &["category", "카테고리", "카테고리명", "상품카테고리", "productcategory", "itemcategory", "categoryname", "상품분류", "분류"]),
    (Role::Brand, &["brand", "브랜드", "브랜드명", "vendor"]),
    (Role::Quantity, &["quantity", "qty", "수량", "주문수량", "구매수량", "상품수량", "lineitemquantity", "orderquantity", "cds", "개수", "units"]),
    (Role::Price, &["unitprice", "단가", "상품단가", "판매단가", "price", "판매가", "상품가격", "상품판매가", "개당가격", "lineitemprice", "productprice", "itemprice", "옵션포함판매가"]),
    (Role::Total, &["linetotal", "lineamount", "상품별총주문금액", "최종상품별총주문금액", "상품결제금액", "상품구매금액",
        "결제금액", "총결제금액", "실결제금액", "주문금액", "총주문금액", "최종결제금액", "total", "totalprice", "totalamount", "ordertotal", "orderamount", "amount",
        "grandtotal", "paymentamount", "actualpaymentamount", "paidamount", "revenue", "금액", "총금액", "합계", "합계금액", "매출", "매출액", "구매금액", "sales", "spend", "value", "subtotal"]),
    (Role::Discount, &["discount", "discountamount", "totaldiscount", "할인금액", "할인액", "총할인금액", "상품할인금액", "상품별할인액", "쿠폰할인금액", "할인"]),
    (Role::Coupon, &["coupon", "couponcode", "discountcode", "쿠폰코드", "쿠폰명", "쿠폰", "promocode", "사용한쿠폰명"]),
    (Role::Currency, &["currency", "currencycode", "통화", "화폐", "결제화폐", "화폐단위"]),
    (Role::Channel, &["channel", "saleschannel", "판매채널", "채널", "주문경로", "유입경로", "source", "sourcename", "쇼핑몰", "매출경로"]),
    (Role::Status, &["orderstatus", "주문상태", "financialstatus", "status", "주문처리상태", "상태", "결제상태", "paymentstatus", "클레임상태", "cs상태",
        "취소여부", "환불여부", "반품여부", "취소구분", "클레임구분", "cancelled", "canceled", "iscancelled", "iscanceled", "refunded", "isrefund", "isrefunded", "cancelflag"]),
    (Role::CancelledAt, &["cancelledat", "canceledat", "취소일시", "취소일", "취소완료일", "환불일시", "환불일", "환불완료일", "refundedat", "refunddate", "canceldate"]),
    (Role::Test, &["test", "istest", "testorder", "테스트주문", "테스트"]),
    (Role::Event, &["event", "eventname", "이벤트명", "이벤트", "이벤트이름", "eventtype", "action", "행동", "activity", "type"]),
    (Role::Id, &["messageid", "eventid", "이벤트id", "insertid", "eventuuid", "uuid", "id"]),
];

const TIMES_ORDERS: &[&str] = &[
    "주문일시",
    "주문일",
    "주문일자",
    "주문날짜",
    "주문시각",
    "invoicedate",
    "orderdate",
    "orderdatetime",
    "orderedat",
    "ordertime",
    "결제일시",
    "결제일",
    "결제일자",
    "createdat",
    "paidat",
    "paymentdate",
    "purchasedate",
    "purchasedat",
    "purchasetime",
    "구매일시",
    "구매일",
    "구매일자",
    "transactiondate",
    "transactiontime",
    "거래일시",
    "거래일",
    "거래일자",
    "발주일",
    "매출일",
    "매출일자",
    "processedat",
    "datetime",
    "timestamp",
    "date",
    "time",
    "일시",
    "날짜",
    "일자",
];
const TIMES_EVENTS: &[&str] = &[
    "timestamp",
    "time",
    "eventtime",
    "eventtimestamp",
    "eventdate",
    "occurredat",
    "originaltimestamp",
    "ts",
    "datetime",
    "발생일시",
    "발생시각",
    "이벤트일시",
    "이벤트시각",
    "일시",
    "시각",
    "createdat",
    "receivedat",
    "sentat",
    "date",
    "날짜",
    "일자",
];
const TIMES_PROFILES: &[&str] = &[
    "effectivedate",
    "effectivefrom",
    "effectiveat",
    "validfrom",
    "적용일",
    "적용일시",
    "기준일",
    "기준일자",
    "변경일",
    "변경일시",
    "수정일",
    "수정일시",
    "updatedat",
    "modifiedat",
    "asof",
    "since",
    "sincedate",
    "기준시각",
    "timestamp",
    "snapshotdate",
];

#[rustfmt::skip]
const TRAITS: &[(&str, &[&str])] = &[
    ("gender", &["성별", "gender", "sex"]),
    ("birth_date", &["생년월일", "birthdate", "dateofbirth", "dob", "birthday", "생일", "birth", "출생연도", "출생년도", "birthyear", "yearofbirth"]),
    ("region", &["지역", "시도", "거주지역", "거주지", "region", "주소", "회원주소", "기본주소", "address", "address1", "province", "provincecode", "shippingprovince", "state", "배송지", "배송지주소", "수령인주소", "수령지"]),
    ("country", &["country", "국가", "나라", "국가코드", "countrycode", "shippingcountry", "billingcountry"]),
    ("city", &["city", "도시", "시군구", "shippingcity"]),
    ("email", &["email", "이메일", "이메일주소", "emailaddress", "메일", "주문자이메일", "구매자이메일", "customeremail", "회원이메일"]),
    ("phone", &["phone", "휴대폰", "휴대폰번호", "휴대전화", "휴대전화번호", "핸드폰", "핸드폰번호", "전화번호", "연락처", "mobile", "mobilephone", "cellphone", "phonenumber", "tel",
        "주문자휴대전화", "주문자휴대폰", "주문자휴대폰번호", "구매자연락처", "주문자연락처", "customerphone", "buyerphone"]),
    ("name", &["이름", "성명", "고객명", "회원명", "name", "fullname", "customername", "주문자명", "구매자명", "주문자이름", "buyername"]),
    ("consent.email", &["이메일수신동의", "이메일수신여부", "이메일동의", "메일수신동의", "메일수신여부", "뉴스메일수신", "뉴스메일수신여부", "emailconsent", "consentemail", "emailoptin", "newsmail",
        "acceptsmarketing", "acceptsemailmarketing", "emailmarketingconsent", "이메일수신", "이메일"]),
    ("consent.sms", &["sms수신동의", "sms수신여부", "sms동의", "문자수신동의", "문자수신여부", "smsconsent", "consentsms", "smsoptin", "acceptssmsmarketing", "sms수신", "sms", "sms수신설정"]),
    ("consent.kakao", &["카카오수신동의", "카카오톡수신동의", "카카오수신여부", "카카오톡수신여부", "카카오동의", "알림톡수신동의", "친구톡수신동의", "kakaoconsent", "consentkakao", "kakaooptin"]),
    ("consent.push", &["푸시수신동의", "앱푸시수신동의", "앱푸시동의", "push수신동의", "푸시동의", "푸시수신여부", "pushconsent", "consentpush", "pushoptin"]),
    ("income", &["income", "소득", "연소득"]),
    ("education", &["education", "학력"]),
    ("marital_status", &["maritalstatus", "결혼여부", "혼인상태", "결혼"]),
    ("occupation", &["occupation", "job", "직업"]),
    ("grade", &["grade", "tier", "회원등급", "등급", "고객등급", "membershiptier"]),
    ("joined_at", &["joinedat", "signupdate", "signedupat", "가입일", "가입일시", "가입일자", "회원가입일", "registeredat", "registrationdate"]),
    ("tags", &["tags", "태그"]),
];

/// Totals of a line, where others may be the order's repeated on every line.
const LINE_TOTALS: [&str; 6] =
    ["linetotal", "lineamount", "상품별총주문금액", "최종상품별총주문금액", "상품결제금액", "상품구매금액"];

/// Status columns that say yes or no to "cancelled?".
const FLAGS: [&str; 10] = [
    "취소여부",
    "환불여부",
    "반품여부",
    "cancelled",
    "canceled",
    "iscancelled",
    "iscanceled",
    "isrefund",
    "isrefunded",
    "cancelflag",
];

/// How likely a header means a role: the place in the list, 0 the likeliest.
pub(crate) fn rank(kind: Kind, role: Role, header: &str) -> Option<usize> {
    let key = key(header);
    // Segment's outer shape: what matters may lie in an inner object.
    let names = match (role, kind) {
        (Role::Time, Kind::Orders) => TIMES_ORDERS,
        (Role::Time, Kind::Events) => TIMES_EVENTS,
        (Role::Time, Kind::Profiles) => TIMES_PROFILES,
        _ => ROLES.iter().find(|(r, _)| *r == role).map_or(&[] as &[&str], |(_, n)| n),
    };
    names.iter().position(|n| *n == key)
}

pub(crate) fn trait_name(header: &str) -> Option<&'static str> {
    let key = key(header.strip_prefix("traits.").unwrap_or(header));
    // In order of the list: `이메일` is the address unless its values say yes and no.
    TRAITS.iter().find(|(_, names)| names.contains(&key.as_str())).map(|(name, _)| *name)
}

/// The property that a role's column is, in files of events.
pub(crate) fn property_name(header: &str) -> Option<&'static str> {
    const NAMES: [(Role, &str); 12] = [
        (Role::Order, "order_id"),
        (Role::Product, "product_id"),
        (Role::Name, "name"),
        (Role::Category, "category"),
        (Role::Brand, "brand"),
        (Role::Quantity, "quantity"),
        (Role::Price, "price"),
        (Role::Total, "total"),
        (Role::Discount, "discount"),
        (Role::Coupon, "coupon"),
        (Role::Currency, "currency"),
        (Role::Channel, "channel"),
    ];
    // `value` and `title` mean what they say in events.
    if header.is_ascii() {
        return None;
    }
    NAMES.iter().find(|(r, _)| rank(Kind::Orders, *r, header).is_some()).map(|(_, n)| *n)
}

pub(crate) fn is_line_total(header: &str) -> bool {
    LINE_TOTALS.contains(&key(header).as_str())
}

pub(crate) fn is_flag(header: &str) -> bool {
    FLAGS.contains(&key(header).as_str())
}

/// Longer names are cut: nobody writes them, and as keys of the mapping file YAML reads none beyond 1,024.
const NAME_CHARS_MAX: usize = 100;

/// A header as a property's name: `Item Colour` becomes `item_colour`; Korean stays.
pub(crate) fn slug(header: &str) -> String {
    let header = ["properties.", "traits."].iter().find_map(|p| header.strip_prefix(p)).unwrap_or(header);
    let mut out = String::new();
    let mut lower = false;
    for c in header.trim().chars() {
        if c.is_alphanumeric() || c == '.' {
            if c.is_uppercase() && lower {
                out.push('_');
            }
            lower = c.is_lowercase();
            out.extend(c.to_lowercase());
        } else {
            lower = false;
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
        }
    }
    let out: String = out.trim_matches('_').chars().take(NAME_CHARS_MAX).collect();
    if out.is_empty() { "value".into() } else { out }
}

/// The number of single-letter changes between two headers.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}
