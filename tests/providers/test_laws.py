"""Each law of reading is held by a case for each provider, or there is a reason why it cannot be
broken there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lumio_cli.providers.registry import provider_names
from providers.subjects import PAIRS

LAWS: Mapping[str, tuple[str, ...]] = {
    "a walk ends where the provider says so": (
        "hollow_page", "more_without_place", "lost_paging", "loop", "full", "edges",
    ),
    "what is hidden is not deleted": ("hidden_is_kept",),
    "a merge is not a deletion": (
        "merges_are_told", "merged_is_gone", "merged_edit_goes_on", "merged_edit_waits",
        "merged_deletion_waits", "merged_meanwhile", "listed_is_alive", "back_after_a_merge",
    ),
    "another's clock is evidence": ("clock_ahead", "clock_far_ahead", "cursor_in_the_future"),
    "a hold fits what it is about": (
        "retry_after_forms", "hold_in_proportion", "hold_of_one_origin",
    ),
    "one bad value costs one record": ("null_row", "bad_value", "bad_record"),
    "a column shows what came": ("misfits", "moments", "moment_forms"),
    "what only helps does not hurt": ("refused_count",),
    "cached is not fresh": ("cached_is_not_fresh",),
    "one truth about how it ended": ("cut_off", "mistake_of_ours"),
    "children go with their owner": ("children_go_with_their_owner",),
    "bulk leaves the same knowledge": ("bulk_leaves_the_same_knowledge",),
    "what is told of a plan is believed": ("told_limits_are_believed",),
}  # fmt: skip
"""The laws, and the cases that hold them."""

HIDDEN, MERGED, CLOCK = (
    "what is hidden is not deleted",
    "a merge is not a deletion",
    "another's clock is evidence",
)
FAMILY, BULK, PLAN = (
    "children go with their owner",
    "bulk leaves the same knowledge",
    "what is told of a plan is believed",
)
NO_BULK = "all walks go by pages: nothing is read by a job"
ALONE = "no record belongs to one of another resource"
UNTOLD = "no answer tells a limit"
REASONS: Mapping[tuple[str, str], str] = {
    (HIDDEN, "hubspot"): "no list leaves a record out for its age",
    (HIDDEN, "whatsapp"): "what has an age is statistics, and no statistics are deleted",
    (HIDDEN, "salesforce"): "archived tasks and events are listed: `queryAll` is asked for them",
    (HIDDEN, "mailchimp"): "no list leaves a record out for its age",
    (HIDDEN, "pipedrive"): "no list leaves a record out for its age",
    (
        CLOCK,
        "whatsapp",
    ): "listings have no cursor; those of statistics are set where all providers' are",
    (FAMILY, "whatsapp"): "what was counted of a template is kept, whatever becomes of it",
    (FAMILY, "salesforce"): ALONE,
    (FAMILY, "slack"): ALONE,
    (FAMILY, "linkedin"): "a page that is no longer listed is one that the member does not manage "
    "any more: its posts are there all the same",
    (FAMILY, "pipedrive"): ALONE,
    (BULK, "hubspot"): NO_BULK,
    (BULK, "whatsapp"): NO_BULK,
    (BULK, "mailchimp"): "batches only write",
    (BULK, "slack"): NO_BULK,
    (BULK, "linkedin"): NO_BULK,
    (BULK, "pipedrive"): NO_BULK,
    (PLAN, "whatsapp"): "answers tell which share of a limit is used, and no limit",
    (PLAN, "mailchimp"): UNTOLD,
    (PLAN, "slack"): UNTOLD,
    (PLAN, "linkedin"): UNTOLD,
}
"""Why a law cannot be broken with a provider."""


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("provider", provider_names())
def test_a_law_is_held_for_a_provider_or_cannot_be_broken_there(law: str, provider: str) -> None:
    held = {case.name for subject, case in PAIRS if subject.provider == provider}
    lacking = set(LAWS[law]) - held
    if LAWS[law] and lacking == set(LAWS[law]):
        assert REASONS.get((law, provider)), f"nothing holds {provider} to it, and nothing says why"
    else:
        assert (law, provider) not in REASONS, "there are cases: the reason is out of date"
