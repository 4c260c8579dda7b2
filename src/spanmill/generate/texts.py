"""What people ask and models answer in generated telemetry: English, Korean and Japanese."""

from typing import Final, NamedTuple


class Topic(NamedTuple):
    """A question, the passages that a search finds for it, and the answer."""

    question: str
    passages: tuple[tuple[str, str], ...]
    """Pairs of a document's id and its text."""
    answer: str


TOPICS: Final = (
    Topic(
        "How long do I have to return a pair of headphones that I have already opened?",
        (
            ("returns-2", "Opened electronics can be returned within 14 days of delivery, with all accessories."),
            ("returns-5", "Refunds reach the original payment method within five working days."),
        ),
        "You have 14 days from delivery, even though the box is open. Please include every accessory; "
        "the refund arrives within five working days.",
    ),
    Topic(
        "Our invoices for March show two charges. Can you tell me which one is the subscription?",
        (
            ("billing-1", "A subscription is charged on the first day of the month under the name PLAN."),
            ("billing-7", "Usage above the plan is charged on the third day under the name USAGE."),
        ),
        "The charge of 1 March, marked PLAN, is the subscription. The one of 3 March is usage above the plan.",
    ),
    Topic(
        "Summarise the incident of last night for the customers, without blaming anyone.",
        (("incident-88", "Between 02:10 and 02:41 UTC, 3% of uploads failed; all were retried successfully."),),
        "Between 02:10 and 02:41 UTC about 3% of uploads failed at first. All of them have since succeeded.",
    ),
    Topic(
        "지난주에 주문한 키보드가 아직 도착하지 않았어요. 지금 어디에 있나요?",
        (
            ("배송-3", "국내 배송은 출고 후 영업일 기준 2~3일이 걸립니다."),
            ("배송-9", "도서 산간 지역은 하루나 이틀 더 걸릴 수 있습니다."),
        ),
        "주문하신 키보드는 어제 물류 센터에서 출고되었고, 내일 오후에 도착할 예정입니다. 불편을 드려 죄송합니다.",
    ),
    Topic(
        "회의록을 세 문장으로 요약하고 다음 할 일을 정리해 주세요.",
        (("회의-12", "다음 분기 목표는 응답 시간을 절반으로 줄이는 것이며, 담당자는 김민지 님입니다."),),
        "다음 분기에는 응답 시간을 절반으로 줄이기로 했습니다. 담당자는 김민지 님이고, 첫 점검은 다음 주 화요일입니다.",
    ),
    Topic(
        "パスワードを忘れてしまいました。登録したメールアドレスも変わっています。",
        (
            ("アカウント-4", "メールアドレスを変更するには、本人確認書類が必要です。"),
            ("アカウント-6", "本人確認は通常、一営業日以内に完了します。"),
        ),
        "ご本人確認のうえ、新しいメールアドレスを登録いたします。通常は一営業日以内に完了します。",
    ),
    Topic(
        "来週の東京出張に必要なものを教えてください。天気も考えてほしいです。",
        (("旅行-2", "来週の東京は雨の日が多く、気温は十五度前後です。"),),
        "折りたたみ傘と薄手の上着をお持ちください。来週の東京は雨の日が多く、十五度前後の見込みです。",
    ),
)

SYSTEM_INSTRUCTIONS: Final = (
    "You are the assistant of a shop. Answer in the customer's language, briefly, from the passages."
)

TOOLS: Final = (
    ("get_weather", {"city": "東京"}, {"condition": "rain", "celsius": 15}),
    ("find_order", {"order": "A-20417"}, {"state": "shipped", "carrier": "CJ대한통운"}),
    ("convert_currency", {"amount": 129.0, "from": "USD", "to": "KRW"}, {"amount": 178_200}),
    ("search_calendar", {"week": "next"}, {"free": ["Tue 10:00", "Wed 14:30"]}),
)
"""Triples of a tool's name, the arguments of a call, and its result."""
