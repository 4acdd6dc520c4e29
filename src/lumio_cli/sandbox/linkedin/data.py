"""Generated records of the look-alike: pages, posts, lead forms and what people answered them.

All of it is drawn from the seed. Statistics are computed for the day that is asked for, so that
there is as much history as the API gives, whenever the sandbox runs.
"""

from __future__ import annotations

from typing import Any

from ..table import Document, draw
from ..words import CITIES, COUNTRIES, FAMILIES, FIRMS, MAIL_HOSTS, NOTES, PEOPLE, SUBJECTS, TITLES

MEMBER = "urn:li:person:sandboxMember1"
FIRST_ORGANIZATION = 5_515_715
ORGANIZATIONS = 2
AD_ACCOUNT = 508_000_001
"""The one ad account of the member; its forms are those that the organizations do not own."""
FIRST_FORM = 9_007_199_254_741_000
"""Beyond what a float holds exactly."""
DAY_MS = 86_400_000
FACETS = {
    "followerCountsByFunction": ("function", "urn:li:function:{}"),
    "followerCountsBySeniority": ("seniority", "urn:li:seniority:{}"),
    "followerCountsByIndustry": ("industry", "urn:li:industry:{}"),
    "followerCountsByGeoCountry": ("geo", "urn:li:geo:{}"),
    "followerCountsByStaffCountRange": ("staffCountRange", "SIZE_{}"),
}


def organization_id(number: int) -> str:
    """The id of the n-th page."""
    return str(FIRST_ORGANIZATION + number)


def organization(seed: int, number: int) -> Document:
    """A page as its administrator sees it."""
    source = draw(seed, "organization", number)
    name = f"{source.choice(FIRMS)} {number}"
    return {
        "id": FIRST_ORGANIZATION + number,
        "localizedName": name,
        "name": _localized(name),
        "vanityName": f"sandbox-page-{number}",
        "localizedWebsite": f"https://page{number}.example.com",
        "localizedDescription": source.choice(NOTES) or "",
        "primaryOrganizationType": "NONE",
        "organizationType": source.choice(("PRIVATELY_HELD", "NON_PROFIT", "SELF_EMPLOYED")),
        "staffCountRange": source.choice(("SIZE_2_TO_10", "SIZE_11_TO_50", "SIZE_51_TO_200")),
        "industries": [f"urn:li:industry:{source.randrange(1, 150)}"],
        "localizedSpecialties": source.sample(SUBJECTS, 2),
        "foundedOn": {"year": source.randrange(1950, 2024)},
        "locations": [
            {
                "locationType": "HEADQUARTERS",
                "address": {
                    "city": source.choice(CITIES) or "Berlin",
                    "country": source.choice(COUNTRIES)[:2].upper(),
                },
            }
        ],
        "defaultLocale": {"country": "US", "language": "en"},
        "versionTag": str(source.randrange(10**9)),
    }


def post_id(number: int) -> str:
    """The URN of the n-th post: most are shares, some are posts of the older kind."""
    kind = "ugcPost" if number % 7 == 3 else "share"
    return f"urn:li:{kind}:{7_100_000_000_000_000_000 + number * 1_000_003}"


def post(seed: int, number: int) -> Document:
    """A post of the first page, without its times."""
    source = draw(seed, "post", number)
    text = f"{source.choice(SUBJECTS)}: {source.choice(NOTES) or ''} {source.choice(PEOPLE)[0]}"
    found: Document = {
        "author": f"urn:li:organization:{FIRST_ORGANIZATION}",
        "commentary": escape(text),
        "visibility": "PUBLIC",
        "distribution": distribution(),
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": number % 11 == 0,
        "lifecycleStateInfo": {"isEditedByAuthor": False},
    }
    if number % 5 == 1:
        image = f"urn:li:image:C5610AQ{number:08d}"
        found["content"] = {"media": {"id": image, "title": source.choice(SUBJECTS)}}
    elif number % 5 == 2:
        url = f"https://page.example.com/{number}"
        found["content"] = {"article": {"source": url, "title": source.choice(FIRMS)}}
    return found


def distribution() -> Document:
    """Where a post goes, unless it says otherwise."""
    return {
        "feedDistribution": "MAIN_FEED",
        "targetEntities": [],
        "thirdPartyDistributionChannels": [],
    }


RESERVED = "\\|{}@[]()<>#*_~"
"""The characters that mean something in LinkedIn's little text format."""


def escape(text: str) -> str:
    """Plain text in the little text format."""
    return "".join(f"\\{char}" if char in RESERVED else char for char in text)


def form(seed: int, number: int) -> Document:
    """A lead form of the first page with three questions, without its times."""
    source = draw(seed, "form", number)
    name = f"{source.choice(SUBJECTS)} {number}"
    return {
        "id": FIRST_FORM + number,
        "versionId": 1,
        "owner": {"organization": f"urn:li:organization:{FIRST_ORGANIZATION}"},
        "name": name,
        "state": source.choice(("PUBLISHED", "PUBLISHED", "DRAFT", "ARCHIVED")),
        "creationLocale": {"country": "US", "language": "en"},
        "content": {
            "headline": _localized(name),
            "description": _localized(source.choice(NOTES) or "About us"),
            "questions": [
                _question(1, "EMAIL", "Email"),
                _question(2, "FIRST_NAME", "First name"),
                {
                    "questionId": 3,
                    "name": "interest",
                    "question": _localized("What are you interested in?"),
                    "responseEditable": True,
                    "responseRequired": False,
                    "questionDetails": {
                        "multipleChoiceQuestionDetails": {
                            "options": [
                                {"id": n, "text": _localized(text)}
                                for n, text in enumerate(SUBJECTS[:3], 1)
                            ]
                        }
                    },
                },
            ],
            "legalInfo": {
                "consents": [{"id": 1, "consent": _localized("I agree"), "checkRequired": True}],
                "privacyPolicyUrl": "https://page.example.com/privacy",
                "legalInfoId": 1,
            },
        },
        "hiddenFields": [{"name": "campaign", "value": f"c{number}"}],
        "reviewInfo": {"reviewStatus": "APPROVED", "rejectionReasons": []},
    }


def _question(number: int, field: str, text: str) -> Document:
    return {
        "questionId": number,
        "name": text,
        "predefinedField": field,
        "question": _localized(text),
        "responseEditable": True,
        "responseRequired": True,
        "questionDetails": {"textQuestionDetails": {"maxResponseLength": 300}},
    }


def lead_id(number: int) -> str:
    """The id of the n-th answer to a form."""
    return f"{number:08x}-0000-4000-8000-{number * 7_919:012x}"


def lead(seed: int, number: int, forms: int) -> Document:
    """What somebody answered to a form of the first page's, without its times."""
    source = draw(seed, "lead", number)
    first, family = source.choice(PEOPLE), source.choice(FAMILIES)
    asked = FIRST_FORM + (number % max(1, forms))
    mail = f"{first[1]}.{family[1]}{number}@{source.choice(MAIL_HOSTS)}"
    return {
        "owner": {"organization": f"urn:li:organization:{FIRST_ORGANIZATION}"},
        "submitter": f"urn:li:person:lead{number:06d}",
        "leadType": "COMPANY",
        "testLead": False,
        "versionedLeadGenFormUrn": f"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{asked},1)",
        "associatedEntity": {"organization": f"urn:li:organization:{FIRST_ORGANIZATION}"},
        "formResponse": {
            "answers": [
                text_answer(1, mail),
                text_answer(2, f"{first[0]} {family[0]} {source.choice(TITLES) or ''}"),
                {
                    "questionId": 3,
                    "answerDetails": {"multipleChoiceAnswer": {"options": [1 + number % 3]}},
                },
            ],
            "consentResponses": [{"consentId": 1, "accepted": number % 2 == 0}],
        },
    }


def text_answer(question: int, text: str) -> Document:
    """One answer in words."""
    return {"questionId": question, "answerDetails": {"textQuestionAnswer": {"answer": text}}}


def share_day(seed: int, organization_urn: str, day: int) -> Document:
    """How the page's posts did on a day, which is counted from 1970."""
    source = draw(seed, f"shares {organization_urn}", day)
    impressions = source.randrange(0, 900)
    clicks = source.randrange(0, 1 + impressions // 8)
    likes = source.randrange(0, 1 + impressions // 20)
    return {
        "uniqueImpressionsCount": impressions * 3 // 4,
        "impressionCount": impressions,
        "clickCount": clicks,
        "likeCount": likes,
        "commentCount": likes // 3,
        "shareCount": likes // 5,
        "engagement": (clicks + likes) / impressions if impressions else 0.0,
    }


def follower_day(seed: int, organization_urn: str, day: int) -> Document:
    """How many followers the page won on a day, which is counted from 1970."""
    source = draw(seed, f"followers {organization_urn}", day)
    return {
        "organicFollowerGain": source.randrange(-2, 12),
        "paidFollowerGain": source.randrange(0, 3),
    }


def follower_facets(seed: int, organization_urn: str) -> Document:
    """Who follows the page, by what people are."""
    source = draw(seed, f"facets {organization_urn}", 0)
    return {
        name: [
            {
                key: pattern.format(n),
                "followerCounts": {
                    "organicFollowerCount": source.randrange(1, 500),
                    "paidFollowerCount": source.randrange(0, 50),
                },
            }
            for n in range(1, 4)
        ]
        for name, (key, pattern) in FACETS.items()
    }


def total(days: list[Document]) -> dict[str, Any]:
    """The sum of many days; engagement is their mean."""
    found: dict[str, Any] = {name: sum(day[name] for day in days) for name in days[0]}
    found["engagement"] = found["engagement"] / len(days)
    return found


def _localized(text: str) -> Document:
    return {
        "localized": {"en_US": text},
        "preferredLocale": {"country": "US", "language": "en"},
    }
