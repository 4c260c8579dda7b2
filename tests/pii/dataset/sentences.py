"""Running text: what people write to each other and to assistants, with and without a word for the value."""

from random import Random

from tests.pii.dataset.labelled import Pieces, Value, filled
from tests.pii.dataset.people import people
from tests.pii.dataset.words import AWS_SECRET_WORDS, WORDS

# {v} the value, {w} a word for it, {n} a name, {c} a company, {t} the particle that belongs behind the word.
_WITH_WORD = {
    "en": (
        "My {w} is {v}.",
        "{w}: {v}",
        "{w} {v}",
        "{n}'s {w} is {v}, please update the file.",
        "Please use {v} as my {w} from now on.",
        "Could you check whether {w} {v} is on record?",
        "The customer gave the {w} ({v}) yesterday.",
        "({w}: {v})",
        "{n} of {c}\n{w}: {v}\nThanks",
        "user: what is my {w}?\nassistant: It is {v}.",
        "I entered {v} for the {w} and got an error",
        "- {w}: {v}\n- name: {n}",
        "**{w}**: `{v}`",
        "{w}={v}",
        "Wrong {w}! It's {v}, not the old one.",
        "“{v}” is the {w} of {n}.",
        "[{n}] {w}->{v}",
        "Summary: the caller, {n}, confirmed the {w} {v} and asked for a refund.",
    ),
    "ko": (
        "제 {w}{t} {v}입니다.",
        "{w}{t}{v}입니다",
        "{w}: {v}",
        "{w}:{v}",
        "{w} {v}",
        "{n}님의 {w}{t} {v}이고 변경 부탁드립니다.",
        "{w}({v})로 조회해 주세요.",
        "고객 {n}, {w} {v} 확인했습니다.",
        "{v}이 제 {w}예요",
        "새 {w}{t} {v}로 등록했어요.",
        "상담원: {w} 알려주세요\n고객: {v}요",
        "{c} {n} / {w} {v}",
        "【{w}】{v}",
        "- {w}: {v}\n- 이름: {n}",
        "{w}{t}요 {v}인데요",
        "{w}「{v}」를 입력했는데 오류가 납니다",
        "{w}={v}",
        "저는 {n}이고요 {w}{t}{v}번입니다",
        "{n}의 {w}{t}, {v}.",
    ),
    "ja": (
        "私の{w}は{v}です。",
        "{w}は{v}です",
        "{w}：{v}",  # noqa: RUF001
        "{w}: {v}",
        "{w} {v}",
        "{n}様の{w}は{v}で間違いないでしょうか。",
        "{w}（{v}）を確認してください。",  # noqa: RUF001
        "{w}を{v}に変更しました",
        "【{w}】{v}",
        "{c}の{n}です。{w}：{v}",  # noqa: RUF001
        "担当: {w}をお願いします\n顧客: {v}です",
        "「{v}」が{n}さんの{w}です。",
        "新しい{w}{v}を登録しました",
        "・{w}　{v}\n・氏名　{n}",
        "{w}={v}",
        "{w}ですが、{v}でお願いします",
        "{w}が{v}の方からのお問い合わせ",
    ),
}
_WITHOUT_WORD = {
    "en": (
        "Here you go: {v}",
        "{n} wrote: {v}",
        "It's {v}, as I said.",
        "Use {v} instead",
        "{v}",
        "Sure, {v}. Anything else?",
        "I got {v} from {c}.",
        "see <{v}>",
        "the old value was {v}; {n} changed it",
        '"{v}"',
        "Thanks!\n\n--\n{n}\n{c}\n{v}",
    ),
    "ko": (
        "{v}입니다",
        "{v}로 보내주세요",
        "네, {v}요.",
        "{n} {v}",
        "{v}",
        "확인했습니다({v}).",
        "이전 값은 {v}였습니다",
        "「{v}」",
        "{n}입니다.{v}예요",
        "{v}에서 변경했어요",
    ),
    "ja": (
        "{v}です",
        "{v}になります。",
        "はい、{v}でお願いします",
        "{n} {v}",
        "{v}",
        "「{v}」",
        "以前は{v}でした。",
        "（{v}）",  # noqa: RUF001
        "{n}です。{v}まで",
        "{c}　{v}",
    ),
}
_VERBS = {
    "phone": {
        "en": (
            "Call me at {v} after six.",
            "call {v}",
            "Text me on {v}!",
            "You can reach {n} at {v}.",
            "Tel. {v}",
            "Ph: {v}",
        ),
        "ko": ("{v}로 전화 주세요", "{v}번으로 문자 남겨주세요.", "문의 {v} {n}", "T. {v}", "{v}으로 연락바랍니다"),
        "ja": ("{v}に電話してください。", "{v}までご連絡ください", "℡ {v}", "{v}へかけ直します"),
    },
    "email": {
        "en": (
            "Send it to {v}.",
            "cc: {n} <{v}>",
            "write to {v}, please",
            "mailto:{v}",
            "From: {n} <{v}>\nSubject: hello",
        ),
        "ko": ("{v}로 보내주세요", "{v}으로 메일 주시면 됩니다.", "받는사람: {n}<{v}>", "{v}에게 전달"),
        "ja": ("{v}へ送ってください。", "{v}までメールください", "宛先：{n}<{v}>", "{v}宛に送信"),  # noqa: RUF001
    },
    "card": {
        "en": ("Charge {v} please.", "I paid with {v}, exp 09/27, cvc 123", "{v} 11/28"),
        "ko": ("{v}로 결제했어요", "{v} 유효기간 09/27"),
        "ja": ("{v}で支払いました", "{v} 有効期限 09/27"),
    },
    "ipv4": {
        "en": (
            "ping {v}",
            "ssh root@{v}",
            "Connection from {v} refused",
            "curl http://{v}/health",
            "allow {v}/32;",
            "{v}:8443 is down",
        ),
        "ko": ("{v}에서 접속했습니다", "ping {v} 실패", "{v}:8080으로 연결"),
        "ja": ("{v}からのアクセス", "{v}:443へ接続", "ping {v}が失敗"),
    },
    "ipv6": {
        "en": ("ping6 {v}", "Connection from {v} refused", "curl http://[{v}]:8080/", "allow {v}/128;"),
        "ko": ("{v}에서 접속했습니다", "http://[{v}]:8080 실패"),
        "ja": ("{v}からのアクセス", "[{v}]:443へ接続"),
    },
}
_CONSONANT_NAMES = "LMNR"
"""Latin letters whose Korean names end in a consonant."""


def sentence(rng: Random, value: Value, around: Pieces, language: str) -> Pieces:
    """One sentence or a few lines with the value, and what is always around it, in them."""
    verbs = _VERBS.get(value.detector, {}).get(language, ())
    draw = rng.random()
    if verbs and not value.bare and draw < 0.35:
        template = rng.choice(verbs)
    elif value.bare or draw < 0.75:
        template = rng.choice(_WITH_WORD[language])
    else:
        template = rng.choice(_WITHOUT_WORD[language])
    words = _words(rng, value, language)
    if words["w"][-1].isascii():
        template = template.replace("{w}{v}", "{w} {v}")
    return filled(template, around, **words)


def filler(rng: Random, language: str) -> str:
    """Some text in which there is nothing to find."""
    if rng.random() < 0.15:
        return rng.choice(people(language).addresses)
    return " ".join(rng.choices(people(language).sentences, k=rng.randint(1, 3)))


def _words(rng: Random, value: Value, language: str) -> dict[str, str]:
    secret = value.detector == "aws_key" and value.bare
    word = rng.choice(AWS_SECRET_WORDS[language] if secret else WORDS[value.detector][language])
    known = people(language)
    return {
        "w": word,
        "t": _topic_particle(word),
        "n": rng.choice(known.names),
        "c": rng.choice(known.companies),
    }


def _topic_particle(word: str) -> str:
    """은 after a consonant, 는 after a vowel."""
    last = ord(word[-1]) - 0xAC00
    if 0 <= last < 11172:
        return "은" if last % 28 else "는"
    return "은" if word[-1] in _CONSONANT_NAMES else "는"
