"""What Slack's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from dataclasses import replace

from lumio_cli.providers.contract.columns import columns
from lumio_cli.providers.contract.paging import Single
from lumio_cli.providers.contract.resource import Cursor, Horizon, Resource
from lumio_cli.providers.slack.walks import Cursors, History, Visible

PAGE = 200
"""Records a page. Slack takes up to 999, and advises 200 at most."""


USERS = Resource(
    name="users",
    path="/users.list",
    title="Users",
    rows="members",
    updated="updated",
    columns=columns(
        "name real_name=profile.real_name display_name=profile.display_name email=profile.email"
        " title=profile.title phone=profile.phone first_name=profile.first_name"
        " last_name=profile.last_name pronouns=profile.pronouns status_text=profile.status_text"
        " status_emoji=profile.status_emoji image=profile.image_512 start_date=profile.start_date"
        " deleted:boolean is_bot:boolean is_app_user:boolean is_admin:boolean is_owner:boolean"
        " is_primary_owner:boolean is_restricted:boolean is_ultra_restricted:boolean"
        " is_email_confirmed:boolean tz tz_label tz_offset:integer team_id"
        " profile_fields:json=profile.fields updated:epoch"
    ),
    paging={"full": Cursors()},
    page_size={"full": PAGE},
    deletes=("sweep",),
    scopes=("users:read",),
    note="deactivated users stay, with deleted = 1; email needs the scope users:read.email",
)

CHANNELS = Resource(
    name="channels",
    path="/conversations.list",
    title="Channels",
    rows="channels",
    updated="updated",
    columns=columns(
        "name topic=topic.value purpose=purpose.value user creator is_channel:boolean"
        " is_private:boolean is_im:boolean is_mpim:boolean is_archived:boolean is_general:boolean"
        " is_member:boolean is_shared:boolean is_ext_shared:boolean is_org_shared:boolean"
        " num_members:integer previous_names:json context_team_id created:epoch updated:epoch_ms"
    ),
    paging={"full": Visible(Cursors())},
    page_size={"full": PAGE},
    deletes=("sweep",),
    scopes=("channels:read",),
    # Of no meaning to others than the member whose client reads them.
    ignore=("priority", "last_read", "latest", "unread_count", "unread_count_display"),
    note="all types that the scopes allow; private ones only where the app was invited",
)

MESSAGES = Resource(
    name="messages",
    path="/conversations.history",
    title="Messages",
    rows="messages",
    updated="ts",
    columns=columns(
        "channel ts sent_at:epoch=ts user text type subtype thread_ts parent_user_id bot_id app_id"
        " username edited_at:epoch=edited.ts edited_by=edited.user reply_count:integer"
        " reply_users_count:integer latest_reply:epoch reactions:json files:json attachments:json"
        " blocks:json client_msg_id team"
    ),
    paging={"full": History(), "changes": History()},
    page_size={"full": PAGE, "changes": PAGE},
    cursor=Cursor(path="ts", lookback=86_400.0, edits=False),
    deletes=("sweep",),
    scopes=("channels:history",),
    ignore=("last_read", "unread_count", "subscribed"),
    # Slack's help: a workspace without a paid plan shows the last 90 days. How far a history
    # reaches, its pages say (`is_limited`); a reply is hidden with the message it answers.
    horizon=Horizon(
        "ts",
        "a workspace without a paid plan hides messages after 90 days",
        kind="epoch",
        days=90.0,
        root="thread_ts",
        within="channel",
    ),
    note="of the channels in the setting `channels`; an id is CHANNEL:TS",
)

USERGROUPS = Resource(
    name="usergroups",
    path="/usergroups.list",
    title="User groups",
    rows="usergroups",
    updated="date_update",
    columns=columns(
        "name handle description user_count:integer users:json channels:json=prefs.channels"
        " is_external:boolean auto_type created_by updated_by deleted_by team_id date_create:epoch"
        " date_update:epoch date_delete:epoch"
    ),
    paging={"full": Single()},
    deletes=("sweep",),
    scopes=("usergroups:read",),
    metadata=True,
    note="disabled groups stay, with date_delete; a feature of paid plans",
)

RESOURCES = (USERS, CHANNELS, MESSAGES, USERGROUPS)


def tailored(*, most: int, lookback: float, chosen: bool) -> tuple[Resource, ...]:
    """The resources as the settings want them: at most `most` messages a page, `lookback` in
    seconds; without chosen channels there are no messages to ask for."""
    if not chosen:
        return (USERS, CHANNELS, replace(MESSAGES, paging={}), USERGROUPS)
    messages = replace(
        MESSAGES,
        page_size={kind: min(size, most) for kind, size in MESSAGES.page_size.items()},
        cursor=Cursor(path="ts", lookback=lookback, edits=False),
    )
    return (USERS, CHANNELS, messages, USERGROUPS)
