"""The data set: texts of three languages with known personal data in them, and texts that only look like it.

Made without anything of what finds it, and the same for the same seed. Each text has a generator of random numbers of
its own, so that a part of the data set is made in a part of the time.
"""

from collections.abc import Callable, Iterator
from random import Random

from tests.pii.dataset import contacts, keys, numbers
from tests.pii.dataset.containers import CONTAINERS, FOR_SEVERAL_LINES, Container, chat_messages, field
from tests.pii.dataset.labelled import Piece, Pieces, Sample, Value, assembled
from tests.pii.dataset.negatives import FAMILIES
from tests.pii.dataset.people import people
from tests.pii.dataset.sentences import filler, sentence
from tests.pii.dataset.writing import as_typed

SEED = 5
TEXTS = 20_000
LANGUAGES = ("en", "ko", "ja")
_NEGATIVE_IN = 5
"""Two texts of so many have nothing to find."""

_IN_NEED_OF_LANGUAGE: dict[str, Callable[[Random, str], Value]] = {"email": contacts.email, "phone": contacts.phone}
_ALIKE: dict[str, Callable[[Random], Value]] = {
    "card": numbers.card,
    "iban": numbers.iban,
    "ipv4": contacts.ipv4,
    "ipv6": contacts.ipv6,
    "mac": contacts.mac,
    "us_ssn": numbers.us_ssn,
    "us_itin": numbers.us_itin,
    "kr_rrn": numbers.kr_rrn,
    "kr_brn": numbers.kr_brn,
    "kr_driver_licence": numbers.kr_driver_licence,
    "kr_passport": numbers.kr_passport,
    "jp_my_number": numbers.jp_my_number,
    "openai_key": keys.openai_key,
    "anthropic_key": keys.anthropic_key,
    "aws_key": keys.aws_key,
    "google_key": keys.google_key,
    "github_token": keys.github_token,
    "slack_token": keys.slack_token,
    "stripe_key": keys.stripe_key,
    "jwt": keys.jwt,
    "private_key": keys.private_key,
}
DETECTORS = ("email", "phone", *_ALIKE, "bearer_token", "url_credentials")
_TURNS = (*DETECTORS, "email", "phone", "phone", "phone", "card")
"""The first value of text after text: kinds that are written in more ways come more often."""

_NOUNS = {
    "en": (
        "Order",
        "invoice no.",
        "build",
        "id",
        "Tracking number",
        "ref",
        "total",
        "see",
        "ticket",
        "contact ticket",
        "Your code is",
    ),
    "ko": (
        "주문번호",
        "송장번호",
        "빌드",
        "아이디",
        "운송장 번호",
        "참조",
        "합계",
        "접수번호",
        "문의 번호",
        "예약번호",
    ),
    "ja": (
        "注文番号",
        "請求書番号",
        "ビルド",
        "ID",
        "追跡番号",
        "参照",
        "合計",
        "受付番号",
        "予約番号",
        "問い合わせ番号",
    ),
}


def samples(seed: int = SEED, texts: int = TEXTS, every: int = 1) -> Iterator[Sample]:
    """`every`: only each such text; those have the same content as in the whole."""
    for index in range(0, texts, every):
        rng = Random(f"{seed} {index}")
        language = LANGUAGES[index % len(LANGUAGES)]
        number, place = divmod(index // len(LANGUAGES), _NEGATIVE_IN)
        if place >= 3:
            yield _negative(rng, language)
        else:
            yield _positive(rng, language, _TURNS[(3 * number + place) % len(_TURNS)])


def _value(rng: Random, detector: str, language: str) -> tuple[Value, Pieces]:
    """A value, and what always stands around such a value."""
    if detector == "bearer_token":
        return keys.bearer_token(rng)
    if detector == "url_credentials":
        return contacts.url_with_credentials(rng, language)
    in_need = _IN_NEED_OF_LANGUAGE.get(detector)
    value = in_need(rng, language) if in_need else _ALIKE[detector](rng)
    return value, (value,)


def _positive(rng: Random, language: str, detector: str) -> Sample:
    detectors = [detector, *rng.choices(DETECTORS, k=rng.choices((0, 1, 2), (60, 28, 12))[0])]
    if rng.random() < 0.45:
        container, fields = _container(rng, detectors, language)
        return assembled(container(rng, fields, language), language, container.__name__)
    pieces: list[Piece] = []
    for one in detectors:
        if rng.random() < 0.4:
            pieces += [_other(rng, language), rng.choice((" ", "\n", ". "))]
        value, around = _value(rng, one, language)
        if len(around) == 1:
            value = as_typed(rng, value, language)
            around = (value,)
        pieces += [*sentence(rng, value, around, language), rng.choice((" ", "\n", "\n\n"))]
    if rng.random() < 0.3:
        pieces.append(_other(rng, language))
    if rng.random() < 0.25:
        return assembled(chat_messages(rng, tuple(pieces)), language, "chat_messages")
    return assembled(pieces, language, "sentences")


def _container(rng: Random, detectors: list[str], language: str) -> tuple[Container, list[tuple[str, Pieces]]]:
    fields = [field(rng, *_value(rng, one, language)) for one in detectors]
    return rng.choice(FOR_SEVERAL_LINES if "private_key" in detectors else CONTAINERS), fields


def _other(rng: Random, language: str) -> str:
    return filler(rng, language) if rng.random() < 0.6 else _nothing(rng, language)[0]


def _nothing(rng: Random, language: str) -> tuple[str, str]:
    """A phrase with something that only looks like personal data, and what it is."""
    family = rng.choice(list(FAMILIES))
    text = FAMILIES[family](rng)
    noun = rng.choice(_NOUNS[language])
    form = rng.choice(
        (
            "{t}",
            "{t}",
            "{n} {t}",
            "{n}: {t}",
            "{n}={t}",
            "({t})",
            '"{t}"',
            "{n}({t})",
            "`{t}`",
            '{{"{n}": "{t}"}}',
            "{n}{t}",
        )
    )
    if form == "{n}{t}" and language == "en":
        form = "{n} {t}"
    return form.format(t=text, n=noun), family


def _negative(rng: Random, language: str) -> Sample:
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if rng.random() < 0.5:
            pieces.append(rng.choice((filler(rng, language), rng.choice(people(language).companies))))
        pieces.append(_nothing(rng, language)[0])
    return assembled([rng.choice((" ", "\n", ", ", " / ")).join(pieces)], language, "negative")
