"""Each law of reading is held by its cases for each provider, or there is a reason why a case
cannot come about there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lumio_cli.providers.registry import provider_class, provider_names
from providers.subjects import PAIRS, SUBJECTS

MERGES = (
    "merged_is_gone", "merged_edit_goes_on", "merged_edit_waits", "merged_deletion_waits",
    "merged_meanwhile", "listed_is_alive", "back_after_a_merge",
)  # fmt: skip
"""What an adapter needs not hold that says why merges cannot be known (`Provider.no_merges`)."""
CLOCKS = ("clock_ahead", "clock_far_ahead", "cursor_in_the_future")
LAWS: Mapping[str, tuple[str, ...]] = {
    "a walk ends where the provider says so": (
        "hollow_page", "more_without_place", "lost_paging", "lost_place_deletes_nothing", "loop",
        "full", "edges",
    ),
    "what is hidden is not deleted": ("hidden_is_kept",),
    "a merge is not a deletion": ("merges_are_told", *MERGES),
    "another's clock is evidence": CLOCKS,
    "a hold fits what it is about": (
        "retry_after_forms", "hold_in_proportion", "hold_of_one_origin",
    ),
    "one bad value costs one record": ("null_row", "bad_value", "bad_record"),
    "a column shows what came": ("misfits", "moments", "moment_forms"),
    "what only helps does not hurt": ("refused_count", "refused_help"),
    "cached is not fresh": ("cached_is_not_fresh",),
    "one truth about how it ended": (
        "cut_off", "expired", "mistake_of_ours", "denied", "one_denied",
    ),
    "bulk leaves the same knowledge": ("bulk_leaves_the_same_knowledge",),
    "children go with their owner": ("children_go_with_their_owner",),
    "what is told of a plan is believed": ("told_limits_are_believed",),
}  # fmt: skip
"""The laws, and the cases that hold them."""

AGELESS = "no listing leaves a record out for its age"
COUNTED = "every listing is counted, and a short one is not believed (`lost_paging`)"
STATISTICS = "what has a cursor are statistics: days, which are asked for anew, and no records"
NO_BULK = "all walks go by pages: nothing is read by a job"
OWN_LISTING = "each resource is listed by itself, and tells of its own deletions"
ONE_REQUEST = "one request tells whose account it is, and nothing counts"
UNTOLD = "no answer tells a limit"
REASONS: Mapping[str, Mapping[str, str]] = {
    "lost_place_deletes_nothing": dict.fromkeys(("whatsapp", "mailchimp", "linkedin"), COUNTED),
    "hidden_is_kept": {
        **dict.fromkeys(("hubspot", "mailchimp", "pipedrive"), AGELESS),
        "whatsapp": "what has an age is statistics, and no statistics are deleted",
        "salesforce": "archived tasks and events are listed: `queryAll` is asked for them",
    },
    **{case: {"whatsapp": STATISTICS} for case in CLOCKS},
    "moment_forms": dict.fromkeys(
        ("slack", "linkedin"), "its listings have moments as numbers alone (`moments`)"
    ),
    "refused_help": dict.fromkeys(("slack", "pipedrive"), ONE_REQUEST),
    "bulk_leaves_the_same_knowledge": dict.fromkeys(
        ("hubspot", "whatsapp", "mailchimp", "slack", "linkedin", "pipedrive"), NO_BULK
    ),
    "children_go_with_their_owner": {
        **dict.fromkeys(("salesforce", "pipedrive"), OWN_LISTING),
        "whatsapp": "what was counted of a template is kept, whatever becomes of it",
        "slack": "a channel that is not listed any more may be one that was left: its messages are "
        "there all the same",
        "linkedin": "a page that is not listed any more is one that the member does not manage: "
        "its posts are there all the same",
    },
    "told_limits_are_believed": {
        **dict.fromkeys(("mailchimp", "slack", "linkedin"), UNTOLD),
        "whatsapp": "answers tell which share of a limit is used, and no limit",
    },
}
"""Why a case cannot come about with any resource of a provider."""


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("provider", provider_names())
def test_a_law_is_held_for_a_provider_or_cannot_be_broken_there(law: str, provider: str) -> None:
    held = {case.name for subject, case in PAIRS if subject.provider == provider}
    for case in LAWS[law]:
        reasons = _reasons(case, provider)
        if case in held:
            assert not reasons, f"{case} runs: the reason is out of date"
        else:
            assert reasons, f"{provider} is not held to {case}, and nothing says why"


def _reasons(case: str, provider: str) -> list[str]:
    own = [s.cannot.get(case, "") for s in SUBJECTS if s.provider == provider]
    merges = provider_class(provider).no_merges if case in MERGES else ""
    found = [REASONS.get(case, {}).get(provider, ""), merges, own[0] if all(own) else ""]
    return [reason for reason in found if reason]
