"""What LinkedIn's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call, dig
from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Each, key_of
from lumio_cli.providers.contract.resource import Cursor, Horizon, Kind, Resource, Writes
from lumio_cli.providers.linkedin.behaviour import (
    ContentPages,
    FollowerStatistics,
    LeadForms,
    LeadResponses,
    Organizations,
    PageStatistics,
    Posts,
)
from lumio_cli.providers.linkedin.pages import Pages, Statistics
from lumio_cli.providers.linkedin.restli import MARK, escape, urn
from lumio_cli.providers.linkedin.rows import organization

PAGES = "rw_organization_admin"
READ = "r_organization_social"
WRITE = "w_organization_social"
LEADS = "r_marketing_leadgen_automation"
WRITTEN = ("commentary", "author", "visibility")
"""Columns of a post that can be written; the first also when the post is there."""
SIZES: Mapping[Kind, int] = {"full": 100, "changes": 99}
"""Of listings that are the same for both purposes: by its size, a log tells which it was."""
LATE_DAYS = 7
"""Days that statistics are read again: LinkedIn corrects them, and the last two come late."""


def _put(call: Call, key: str) -> Call:
    """The listing of one page."""
    owner = escape(urn("organization", key))
    return replace(call, path=call.path.replace(MARK, owner), route=call.label)


def each(inner: Pages | Statistics) -> Each:
    """A listing for each page that is administered."""
    return Each(_put, inner)


ORGANIZATIONS = Organizations(
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


def _role_of(acl: Any) -> str:
    return f"{organization(acl).get('id')}:{dig(acl, 'role')}"


CONTENT_PAGES = ContentPages(
    name="content_pages",
    path=ORGANIZATIONS.path,
    title="Pages whose posts you may write, without being their administrator",
    columns=ORGANIZATIONS.columns,
    paging={"full": Pages(name=_role_of)},
    page_size=ORGANIZATIONS.page_size,
    rows="elements",
    updated="",
    deletes=("sweep",),
    scopes=(PAGES,),
    note=(
        "Content administrators and posters of sponsored content. LinkedIn tells them a page's"
        " posts, and neither its statistics nor its leads."
    ),
)

POSTS = Posts(
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


def _statistics(
    kind: type[PageStatistics], name: str, title: str, path: str, listed: str
) -> Resource:
    return kind(
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
    PageStatistics,
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
    FollowerStatistics,
    "follower_statistics",
    "Who follows your pages",
    "/rest/organizationalEntityFollowerStatistics",
    "followers:integer=followerCount organic_gain:integer=followerGains.organicFollowerGain"
    " paid_gain:integer=followerGains.paidFollowerGain"
    " by_function:json=followerCountsByFunction by_seniority:json=followerCountsBySeniority"
    " by_industry:json=followerCountsByIndustry by_country:json=followerCountsByGeoCountry"
    " by_staff_count:json=followerCountsByStaffCountRange",
)

LEAD_FORMS = LeadForms(
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

LEAD_RESPONSES = LeadResponses(
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
