"""LinkedIn through the command line: pages and what belongs to them, figures, quotas, versions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lumio_cli.core.errors import LumioError
from lumio_cli.providers.linkedin.rows import content_pages
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.linkedin.data import AD_ACCOUNT, FIRST_ORGANIZATION, text_answer
from lumio_cli.sync.pull.resource_pull import Pull
from providers.linkedin.conftest import MakePages, Pages

PAGE = f"urn:li:organization:{FIRST_ORGANIZATION}"
DAY_MS = 86_400_000
LIMITS = "LUMIO_PROVIDERS__LINKEDIN__LIMITS"


def entries(lab: Pages, *words: str) -> dict[str, dict[str, Any]]:
    """What a sync says of each resource."""
    outcome = lab.lumio("sync", "linkedin", *words)
    return {r["resource"]: r for r in outcome.document["resources"]}


def test_everything_comes_for_every_page(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    found = entries(lab)
    assert {name: entry["status"] for name, entry in found.items()} == dict.fromkeys(
        (
            "organizations",
            "content_pages",
            "posts",
            "share_statistics",
            "follower_statistics",
            "lead_forms",
            "lead_responses",
        ),
        "succeeded",
    )
    assert {name: found[name]["created"] for name in ("organizations", "posts", "lead_forms")} == {
        "organizations": 2,
        "posts": 5,
        "lead_forms": 5,
    }
    rows = lab.sql("SELECT name, role, vanity_name FROM linkedin_organizations ORDER BY id")
    assert [(role, vanity) for _, role, vanity in rows] == [
        ("ADMINISTRATOR", "sandbox-page-0"),
        ("ADMINISTRATOR", "sandbox-page-1"),
    ]
    # Roles twice, two pages; posts, forms by page; figures twice, followers counted; leads of 3
    # kinds.
    assert sum(entry["requests"] for entry in found.values()) == 4 + 2 + 4 + 6 + 2 + 6


def test_times_are_shown_as_times(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    entries(lab)
    ((created, payload),) = lab.sql("SELECT created_at, _payload FROM linkedin_posts LIMIT 1")
    assert json.loads(payload)["createdAt"] > 1_700_000_000_000
    assert created.startswith("202")
    assert created.endswith("Z")


def test_figures_are_for_life_and_for_each_day(make_pages: MakePages) -> None:
    lab, clock = make_pages()
    first = entries(lab)
    assert first["share_statistics"]["created"] == 2 * (1 + 364)
    assert first["follower_statistics"]["created"] == 2 * (1 + 362)
    periods = lab.sql(
        "SELECT period, count(*) FROM linkedin_share_statistics GROUP BY 1 ORDER BY 1"
    )
    assert periods == [("day", 728), ("lifetime", 2)]
    ((day, start, end),) = lab.sql(
        f"SELECT day, start, end FROM linkedin_share_statistics"
        f" WHERE id = '{FIRST_ORGANIZATION}:2026-11-01'"
    )
    assert (day, start[:10], end[:10]) == ("2026-11-01", "2026-11-01", "2026-11-02")
    ((followers,),) = lab.sql(
        f"SELECT followers FROM linkedin_follower_statistics"
        f" WHERE id = '{FIRST_ORGANIZATION}:lifetime'"
    )
    assert followers == 1_000 + FIRST_ORGANIZATION % 1_000
    clock.forward(3 * 86_400)
    again = entries(lab)["share_statistics"]
    assert again["mode"] == "incremental"
    # A week before the last time, and three days since: late corrections come, too.
    assert again["read"] == 2 * (1 + 10)
    assert again["deleted"] == 0


def test_a_full_sync_keeps_the_days_that_linkedin_forgets(make_pages: MakePages) -> None:
    lab, clock = make_pages()
    entries(lab)
    clock.forward(10 * 86_400)
    assert entries(lab, "--mode", "full")["share_statistics"]["deleted"] == 0
    ((days,),) = lab.sql(
        "SELECT count(*) FROM linkedin_share_statistics WHERE period = 'day'"
        f" AND organization = '{PAGE}'"
    )
    assert days == 364 + 10


def test_only_changed_posts_come_again(make_pages: MakePages) -> None:
    lab, clock = make_pages(records=250)
    clock.forward(3600)
    assert entries(lab)["posts"]["created"] == 250
    clock.forward(3600)
    oldest = lab.account.tables["posts"].ids()[0]
    lab.account.tables["posts"].update(oldest, {"commentary": "reworded"})
    clock.forward(60)
    entry = entries(lab)["posts"]
    assert (entry["read"], entry["updated"], entry["requests"]) == (1, 1, 2)


def test_a_deleted_post_is_noticed_by_a_full_sync(make_pages: MakePages) -> None:
    lab, _ = make_pages(records=20)
    entries(lab)
    lab.account.tables["posts"].purge(lab.account.tables["posts"].ids()[3])
    assert entries(lab)["posts"]["deleted"] == 0
    assert entries(lab, "--mode", "full")["posts"]["deleted"] == 1


def test_answers_that_linkedin_forgets_stay_and_deleted_ones_go(make_pages: MakePages) -> None:
    lab, _ = make_pages(records=10)
    lab.extra["LUMIO_PROVIDERS__LINKEDIN__LEAD_TYPES"] = "COMPANY"
    entries(lab)
    lab.account.lead_days = 365
    leads = lab.account.tables["lead_responses"]
    young = [i for i in leads.ids() if leads.created(i) >= lab.account.oldest_lead()]
    assert 0 < len(young) < 10
    leads.purge(young[-1])
    outcome = lab.lumio("sync", "linkedin/lead_responses", "--mode", "full", "--max-delete", "40")
    assert outcome.resource("lead_responses")["deleted"] == 1
    assert lab.sql("SELECT count(*) FROM linkedin_lead_responses") == [(9,)]


def test_a_page_that_is_new_brings_all_that_it_has(make_pages: MakePages) -> None:
    lab, clock = make_pages()
    tables = lab.account.tables
    made = tables["posts"].insert({"author": f"urn:li:organization:{FIRST_ORGANIZATION + 2}"})
    clock.forward(86_400)
    entries(lab)
    assert lab.sql("SELECT count(*) FROM linkedin_posts") == [(5,)]
    lab.account.administer(3)
    clock.forward(86_400)
    entry = entries(lab)["posts"]
    assert (entry["mode"], entry["created"]) == ("incremental", 1)
    assert lab.sql("SELECT id FROM linkedin_posts WHERE id = ?", made) == [(made,)]


def test_leads_of_an_ad_account_come_where_it_is_named(make_pages: MakePages) -> None:
    lab, clock = make_pages()
    owner = {"sponsoredAccount": f"urn:li:sponsoredAccount:{AD_ACCOUNT}"}
    lead = {
        "owner": owner,
        "leadType": "SPONSORED",
        "formResponse": {"answers": [text_answer(1, "ads@example.com")]},
    }
    made = lab.account.tables["lead_responses"].insert(lead)
    lab.account.tables["lead_forms"].insert({"owner": owner, "name": "Ad form"})
    assert entries(lab)["lead_responses"]["read"] == 5
    lab.extra["LUMIO_PROVIDERS__LINKEDIN__AD_ACCOUNTS"] = str(AD_ACCOUNT)
    clock.forward(86_400)
    found = entries(lab)
    assert found["lead_responses"]["created"] == found["lead_forms"]["created"] == 1
    ((account, answers),) = lab.sql(
        "SELECT owner_account, answers FROM linkedin_lead_responses WHERE id = ?", made
    )
    assert account == owner["sponsoredAccount"]
    assert json.loads(answers) == {"1": "ads@example.com"}


def test_a_missing_scope_skips_what_needs_it(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    lab.token = lab.sandbox.token("linkedin", "pages_only")
    found = entries(lab)
    skipped = {name for name, entry in found.items() if entry["status"] == "skipped"}
    assert skipped == {"lead_forms", "lead_responses"}
    assert "r_marketing_leadgen_automation" in found["lead_forms"]["error"]["hint"]


def test_a_version_that_is_gone_is_told_with_what_to_do(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    lab.account.retire("202607")
    outcome = lab.lumio("sync", "linkedin/organizations")
    assert outcome.code != 0
    assert "NONEXISTENT_VERSION" in outcome.out
    assert "providers.linkedin.api_version" in outcome.out
    lab.extra["LUMIO_PROVIDERS__LINKEDIN__API_VERSION"] = "202608"
    assert lab.lumio("sync", "linkedin/organizations").code == 0


def test_a_days_calls_are_counted_over_runs(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    lab.extra[LIMITS] = '{"member": 8}'
    assert lab.lumio("sync", "linkedin/posts").code == 0
    before = len(lab.sandbox.requests)
    outcome = lab.lumio("sync", "linkedin/share_statistics")
    assert outcome.code == 5, "a part was read, and the quota is what ended it"
    error = outcome.resource("share_statistics")["error"]
    assert error["code"] == "quota_exhausted"
    assert "T00:00:00Z" in error["message"], "it says when the day is over"
    assert len(lab.sandbox.requests) - before == 2, "what is left of the day is used"
    assert lab.lumio("sync", "linkedin/lead_forms").code == 5
    assert len(lab.sandbox.requests) - before == 2


def test_a_day_that_others_have_used_up_ends_the_run(make_pages: MakePages) -> None:
    lab, _ = make_pages(quota="member=5,application=500")
    outcome = lab.lumio("sync", "linkedin/organizations", "linkedin/posts")
    assert outcome.code in (3, 5)
    error = outcome.resource("posts")["error"]
    assert error["code"] == "quota_exhausted"
    assert lab.sandbox.violations <= 2, "it is not tried again"


def test_connect_names_the_member_and_its_pages(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    document = lab.lumio("connect", "linkedin").document
    assert document["account"] == {"id": "sandboxMember1", "name": "administrator of 2 pages"}
    lab.token = lab.sandbox.token("linkedin", "revoked")
    refused = lab.lumio("connect", "linkedin")
    assert refused.code == 4
    assert "revoked by the user" in refused.out


# -- roles


@pytest.mark.parametrize("role", ["CONTENT_ADMIN", "DIRECT_SPONSORED_CONTENT_POSTER"])
def test_who_writes_the_content_of_a_page_has_its_posts_and_nothing_else_of_it(
    make_pages: MakePages, role: str
) -> None:
    lab, _ = make_pages()
    lab.account.roles[str(FIRST_ORGANIZATION)] = role
    found = entries(lab)
    assert {entry["status"] for entry in found.values()} == {"succeeded"}
    assert lab.sql("SELECT id, role, name IS NULL FROM linkedin_content_pages") == [
        (str(FIRST_ORGANIZATION), role, 0)
    ]
    assert lab.sql("SELECT count(*) FROM linkedin_organizations") == [(1,)]
    assert lab.sql("SELECT count(*) FROM linkedin_posts") == [(5,)]
    assert lab.sql("SELECT DISTINCT organization FROM linkedin_share_statistics") != [(PAGE,)]
    again = entries(lab)["posts"]
    assert (again["mode"], again["read"]) == ("incremental", 0)
    # As its administrator one has the same posts, and none is taken for deleted.
    lab.account.roles.clear()
    assert entries(lab, "--mode", "full", "--max-delete", "0")["posts"]["deleted"] == 0


def test_a_total_that_counts_what_is_left_out_makes_no_listing_incomplete(
    make_pages: MakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = make_pages()
    handle = lab.account.handle

    def counting(request: Request) -> Response:
        response = handle(request)
        if request.path == "/rest/organizationAcls":
            document = json.loads(response.body)
            document["paging"]["total"] += 7
            response = replace(response, body=json.dumps(document).encode())
        return response

    monkeypatch.setattr(lab.account, "handle", counting)
    found = entries(lab, "--mode", "full")
    assert found["organizations"]["status"] == "succeeded"
    assert lab.sql("SELECT count(*) FROM linkedin_organizations") == [(2,)]


def test_a_role_that_is_no_writers_brings_no_page(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    lab.account.roles[str(FIRST_ORGANIZATION)] = "ANALYST"
    assert entries(lab)["content_pages"]["read"] == 0
    assert lab.sql("SELECT count(*) FROM linkedin_posts") == [(0,)]


def test_a_content_page_that_one_administers_by_now_is_one_no_longer(
    make_pages: MakePages,
) -> None:
    lab, _ = make_pages()
    lab.account.roles[str(FIRST_ORGANIZATION)] = "CONTENT_ADMINISTRATOR"
    entries(lab)
    lab.account.roles.clear()
    found = entries(lab)["content_pages"]
    assert (found["status"], found["deleted"]) == ("succeeded", 1)
    assert not any("empty" in warning for warning in found["warnings"])
    assert lab.sql("SELECT count(*) FROM linkedin_content_pages") == [(0,)]
    assert lab.sql("SELECT count(*) FROM linkedin_posts") == [(5,)]


def test_each_page_is_met_once_whatever_roles_there_are() -> None:
    def acl(page: int, role: str) -> dict[str, str]:
        return {"organization": f"urn:li:organization:{page}", "role": role}

    rows = [
        acl(1, "DIRECT_SPONSORED_CONTENT_POSTER"), None, acl(2, "CONTENT_ADMINISTRATOR"),
        acl(1, "ADMINISTRATOR"), acl(2, "DIRECT_SPONSORED_CONTENT_POSTER"), acl(3, "ANALYST"),
    ]  # fmt: skip
    found = content_pages(rows)
    assert found[0] == {"unreadable": None}
    assert [(page["id"], page["role"]) for page in found[1:]] == [("2", "CONTENT_ADMINISTRATOR")]


def test_drafts_are_read(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    draft = {"author": PAGE, "commentary": "not yet", "lifecycleState": "DRAFT"}
    urn = lab.account.tables["posts"].insert(draft)
    entries(lab)
    query = "SELECT commentary, lifecycle_state FROM linkedin_posts WHERE id = ?"
    assert lab.sql(query, urn) == [("not yet", "DRAFT")]


def test_a_refused_detail_costs_only_itself(make_pages: MakePages) -> None:
    lab, _ = make_pages()
    lab.sandbox.faults.set(["403:path=/rest/organizations/*", "403:path=/rest/networkSizes/*"])
    found = entries(lab)
    assert {entry["status"] for entry in found.values()} == {"succeeded"}
    assert lab.sql("SELECT count(*), count(name) FROM linkedin_organizations") == [(2, 0)]
    assert lab.sql(
        "SELECT count(*), count(followers) FROM linkedin_follower_statistics"
        " WHERE period = 'lifetime'"
    ) == [(2, 0)]


def test_posts_of_pages_that_could_not_be_read_are_missing_and_none_is_deleted(
    make_pages: MakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = make_pages()
    lab.account.roles[str(FIRST_ORGANIZATION)] = "CONTENT_ADMINISTRATOR"
    entries(lab)
    held = lab.sql("SELECT count(*) FROM linkedin_posts")

    def fail(pull: Pull) -> None:
        if pull.resource.name == "content_pages":
            raise LumioError("out of order", code="unavailable", exit_code=5)
        good(pull)

    good = Pull._pull
    monkeypatch.setattr(Pull, "_pull", fail)
    posts = entries(lab, "--mode", "full")["posts"]
    assert (posts["status"], posts["deleted"]) == ("partial", 0)
    assert "new content_pages is missing" in posts["error"]["message"]
    assert lab.sql("SELECT count(*) FROM linkedin_posts") == held
