"""Names, sentences and addresses by Faker, drawn once and chosen from: Faker is too slow to be asked for each text."""

from functools import cache
from random import Random
from typing import NamedTuple

from faker import Faker

LOCALES = {"en": ("en_US", "en_GB"), "ko": ("ko_KR",), "ja": ("ja_JP",)}
_FOREIGN_PHONES = ("en_GB", "fr_FR", "de_DE")
_DRAWN = 450
_SEED = 20_260_211


class People(NamedTuple):
    """Of one language. None of it is personal data that a detector looks for, but the e-mail and the phones."""

    names: tuple[str, ...]
    companies: tuple[str, ...]
    sentences: tuple[str, ...]
    addresses: tuple[str, ...]
    user_names: tuple[str, ...]
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    user_agents: tuple[str, ...]


@cache
def people(language: str) -> People:
    fakers = [_faker(locale) for locale in LOCALES[language]]
    turns = [fakers[index % len(fakers)] for index in range(_DRAWN)]
    return People(
        names=tuple(faker.name() for faker in turns),
        companies=tuple(faker.company() for faker in turns),
        sentences=tuple(_sentence(faker, language) for faker in turns),
        addresses=tuple(faker.address().replace("\n", ", ") for faker in turns),
        user_names=tuple(faker.user_name() for faker in turns),
        emails=tuple(kind() for faker in turns for kind in (faker.email, faker.company_email, faker.free_email)),
        phones=tuple(filter(_dialled_at_home, (fakers[0].phone_number() for _ in range(_DRAWN)))),
        user_agents=tuple(faker.user_agent() for faker in turns[:100]),
    )


@cache
def foreign_phones() -> tuple[str, ...]:
    """With their country code; of countries whose own way of writing them is not looked for."""
    fakers = [_faker(locale) for locale in _FOREIGN_PHONES]
    numbers = [fakers[index % len(fakers)].phone_number() for index in range(3 * _DRAWN)]
    return tuple(number for number in numbers if number.startswith("+"))


def _faker(locale: str) -> Faker:
    faker = Faker(locale)
    faker.seed_instance(f"{_SEED} {locale}")
    return faker


def _sentence(faker: Faker, language: str) -> str:
    """Faker's Korean sentences are Latin; its slogans are Korean."""
    return f"{faker.company()}에서 {faker.catch_phrase()} 업무를 합니다." if language == "ko" else faker.sentence()


def _dialled_at_home(number: str) -> bool:
    """Faker writes some Japanese numbers without their first 0; those are no numbers."""
    digits = sum(sign.isdigit() for sign in number)
    return digits >= 10 or number.startswith("0")


def word(rng: Random, letters: str, least: int, most: int) -> str:
    return "".join(rng.choices(letters, k=rng.randint(least, most)))


def digits(rng: Random, count: int) -> str:
    return f"{rng.randrange(10**count):0{count}d}" if count else ""
