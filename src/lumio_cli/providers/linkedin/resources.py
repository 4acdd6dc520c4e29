"""What LinkedIn's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, dig
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Each, key_of
from lumio_cli.providers.contract.resource import Cursor, Horizon, Kind, Resource, Writes
from lumio_cli.providers.linkedin.pages import Pages, Statistics
from lumio_cli.providers.linkedin.restli import MARK, escape, urn

PAGES = "rw_organization_admin"
READ = "r_organization_social"
WRITE = "w_organization_social"
LEADS = "r_marketing_leadgen_automation"
WRITTEN = ("commentary", "author", "visibility")
"""Columns of a post that can be written; the first also when the post is there."""
SIZES: Mapping[Kind, int] = {"full": 100, "changes": 99}
"""Of listings that are the same for both purposes: by its size, a log tells which it was."""
ADMINISTRATOR = "ADMINISTRATOR"
LATE_DAYS = 7
"""Days that statistics are read again: LinkedIn corrects them, and the last two come late."""


def _put(call: Call, key: str) -> Call:
    """The listing of one page."""
    owner = escape(urn("organization", key))
    return replace(call, path=call.path.replace(MARK, owner), route=call.label)


def each(inner: Pages | Statistics) -> Each:
    """A listing for each page that is administered."""
    return Each(_put, inner)


ORGANIZATIONS = Resource(
    name="organizations",
    path="/rest/organizationAcls",
    title="Pages that you administer",
    columns=columns(
        "urn=organization role state name=localizedName vanity_name=vanityName"
        " website=localizedWebsite description=localizedDescription"
        " organization_type=organizationType primary_organization_type=primaryOrganizationType"
        " staff_count_range=staffCountRange industries:json specialties:json=localizedSpecialties"
        " locations:json founded_year:integer=foundedOn.year"
    ),
    paging={"full": Pages(name=lambda acl: key_of(organization(acl), "id"))},
    # A further request for each page: what a run can lose is kept small.
    page_size={"full": 25},
    rows="elements",
    updated="",
    deletes=("sweep",),
    scopes=(PAGES,),
)

CONTENT_ROLES = ("CONTENT_ADMINISTRATOR", "CONTENT_ADMIN", "DIRECT_SPONSORED_CONTENT_POSTER")
"""Roles, beside an administrator's, that read and write a page's posts (posts-api, permissions).
LinkedIn's page on roles has the first name, the page on posts the second."""


def _role_of(acl: Any) -> str:
    return f"{organization(acl).get('id')}:{dig(acl, 'role')}"


CONTENT_PAGES = replace(
    ORGANIZATIONS,
    name="content_pages",
    title="Pages whose posts you may write, without being their administrator",
    paging={"full": Pages(name=_role_of)},
    note=(
        "Content administrators and posters of sponsored content. LinkedIn tells them a page's"
        " posts, and neither its statistics nor its leads."
    ),
)

POSTS = Resource(
    name="posts",
    path="/rest/posts",
    title="Posts of your pages",
    columns=columns(
        "author! commentary! visibility! lifecycle_state=lifecycleState"
        " created_at:epoch_ms=createdAt published_at:epoch_ms=publishedAt"
        " last_modified_at:epoch_ms=lastModifiedAt"
        " is_edited:boolean=lifecycleStateInfo.isEditedByAuthor"
        " is_reshare_disabled:boolean=isReshareDisabledByAuthor"
        " feed_distribution=distribution.feedDistribution content:json media_id=content.media.id"
        " media_title=content.media.title article_url=content.article.source"
        " article_title=content.article.title reshared_post=reshareContext.parent"
    ),
    paging={"full": each(Pages()), "changes": each(Pages(ends=True))},
    page_size={"full": 100, "changes": 100},
    rows="elements",
    updated="lastModifiedAt",
    cursor=Cursor("lastModifiedAt", lookback=300.0),
    deletes=("sweep",),
    scopes=(READ,),
    write_scopes=(WRITE,),
    parents=("organizations", "content_pages"),
    writes=Writes(create=1, update=1, archive=1, at_once=50),
    note="A post that was deleted on LinkedIn is noticed by the next full sync.",
)


_PERIOD = (
    "organization=organizationalEntity period day start:epoch_ms=timeRange.start"
    " end:epoch_ms=timeRange.end"
)


def _statistics(name: str, title: str, path: str, listed: str) -> Resource:
    return Resource(
        name=name,
        path=path,
        title=title,
        columns=columns(f"{_PERIOD} {listed}"),
        paging={"full": each(Statistics()), "changes": each(Statistics())},
        page_size={"full": 1, "changes": 1},
        rows="elements",
        updated="",
        cursor=Cursor("timeRange.end", lookback=LATE_DAYS * 86_400.0),
        scopes=(PAGES,),
        parents=("organizations",),
        note=(
            "One row for the whole life of a page and one for each day. LinkedIn tells the days of"
            " the last twelve months; what the hub has of earlier ones stays."
        ),
    )


SHARE_STATISTICS = _statistics(
    "share_statistics",
    "How your pages' posts did",
    "/rest/organizationalEntityShareStatistics",
    "impressions:integer=totalShareStatistics.impressionCount"
    " unique_impressions:integer=totalShareStatistics.uniqueImpressionsCount"
    " clicks:integer=totalShareStatistics.clickCount"
    " likes:integer=totalShareStatistics.likeCount"
    " comments:integer=totalShareStatistics.commentCount"
    " shares:integer=totalShareStatistics.shareCount"
    " engagement:number=totalShareStatistics.engagement",
)

FOLLOWER_STATISTICS = _statistics(
    "follower_statistics",
    "Who follows your pages",
    "/rest/organizationalEntityFollowerStatistics",
    "followers:integer=followerCount organic_gain:integer=followerGains.organicFollowerGain"
    " paid_gain:integer=followerGains.paidFollowerGain"
    " by_function:json=followerCountsByFunction by_seniority:json=followerCountsBySeniority"
    " by_industry:json=followerCountsByIndustry by_country:json=followerCountsByGeoCountry"
    " by_staff_count:json=followerCountsByStaffCountRange",
)

LEAD_FORMS = Resource(
    name="lead_forms",
    path="/rest/leadForms",
    title="Lead forms",
    columns=columns(
        "name state version:integer=versionId owner_organization=owner.organization"
        " owner_account=owner.sponsoredAccount headline:json=content.headline.localized"
        " questions:json=content.questions consents:json=content.legalInfo.consents"
        " hidden_fields:json=hiddenFields language=creationLocale.language"
        " review_status=reviewInfo.reviewStatus created_at:epoch_ms=created"
        " last_modified_at:epoch_ms=lastModified"
    ),
    paging={"full": each(Pages()), "changes": each(Pages())},
    page_size=SIZES,
    rows="elements",
    updated="lastModified",
    cursor=Cursor("lastModified", lookback=300.0),
    deletes=("sweep",),
    scopes=(LEADS,),
    parents=("organizations",),
    note="LinkedIn cannot be asked for changed forms only: all are listed, the changed ones kept.",
)

LEAD_RESPONSES = Resource(
    name="lead_responses",
    path="/rest/leadFormResponses",
    title="Answers to lead forms",
    columns=columns(
        "submitted_at:epoch_ms=submittedAt lead_type=leadType test_lead:boolean=testLead"
        " form=versionedLeadGenFormUrn owner_organization=owner.organization"
        " owner_account=owner.sponsoredAccount submitter answers:json"
        " consents:json=formResponse.consentResponses associated_entity:json=associatedEntity"
        " campaign=leadMetadata.sponsoredLeadMetadata.campaign"
    ),
    paging={"full": each(Pages()), "changes": each(Pages())},
    page_size=SIZES,
    rows="elements",
    updated="submittedAt",
    cursor=Cursor("submittedAt", lookback=300.0, edits=False),
    deletes=("sweep",),
    scopes=(LEADS,),
    parents=("organizations",),
    # LinkedIn's description of the Lead Sync API: form responses are stored for up to 365 days.
    horizon=Horizon(
        "submittedAt",
        "LinkedIn keeps the answers to lead forms for 365 days",
        kind="epoch_ms",
        days=365.0,
    ),
    note="LinkedIn keeps answers for 365 days. Older ones stay in the hub.",
)

RESOURCES = (
    ORGANIZATIONS,
    CONTENT_PAGES,
    POSTS,
    SHARE_STATISTICS,
    FOLLOWER_STATISTICS,
    LEAD_FORMS,
    LEAD_RESPONSES,
)
STATISTICS = (SHARE_STATISTICS, FOLLOWER_STATISTICS)


def organization(acl: Any) -> Record:
    """A role in a page as the page's record; what names no page comes as it is: a dead letter."""
    named = dig(acl, "organization") or dig(acl, "organizationTarget")
    if not isinstance(named, str | int):
        return acl if isinstance(acl, dict) else {"unreadable": acl}
    return {**acl, "organization": named, "id": str(named).rpartition(":")[2]}


def content_pages(acls: Sequence[Any]) -> list[Record]:
    """The pages among some roles whose posts the member may write without administering them, each
    once; and what names no page."""
    administered = {
        str(dig(acl, "organization")) for acl in acls if dig(acl, "role") == ADMINISTRATOR
    }
    found: dict[str, Record] = {}
    for number, acl in enumerate(acls):
        page = organization(acl)
        if "id" not in page:
            found[f"unreadable {number}"] = page
        elif page.get("role") in CONTENT_ROLES and page["organization"] not in administered:
            found.setdefault(page["id"], page)
    return list(found.values())


def figures(element: Any) -> Record:
    """Statistics of a page's life or day, with an id: `PAGE:lifetime` or `PAGE:2026-01-31`."""
    owner, start = dig(element, "organizationalEntity"), dig(element, "timeRange.start")
    if not isinstance(owner, str):
        return {"unreadable": element}
    key = owner.rpartition(":")[2]
    if not isinstance(start, int):
        return {**element, "id": f"{key}:lifetime", "period": "lifetime"}
    try:
        day = datetime.fromtimestamp(start / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return {"unreadable": element}
    return {**element, "id": f"{key}:{day}", "period": "day", "day": day}


def lead(response: Any) -> Record:
    """An answer to a form, with `answers` by the number of the question: the text, or the numbers
    of the options that were chosen."""
    answers = dig(response, "formResponse.answers")
    if not isinstance(response, dict) or not isinstance(answers, list):
        return response if isinstance(response, dict) else {"unreadable": response}
    found: dict[str, Any] = {}
    for item in answers:
        details: Mapping[str, Any] = dig(item, "answerDetails") or {}
        text = dig(details, "textQuestionAnswer.answer")
        chosen = dig(details, "multipleChoiceAnswer.options")
        found[str(dig(item, "questionId"))] = text if text is not None else chosen
    return {**response, "answers": found}
