"""OAuth, identity, versions and limits.

The consenting user is played by `GET /services/oauth2/authorize` (see `lookalike.Vault`). Access
tokens come without `expires_in`: how long a session lives is the org's own affair.
"""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from ..forms import client_form
from ..http import Request, Response, Route
from ..lookalike import CLIENT_ID, Grant, OAuthError, Token
from .catalog import ORG_ID
from .data import LEGACY, NEWEST, OLDEST, USERNAME, iso
from .ids import make_id

if TYPE_CHECKING:
    from .account import Account

USER_ID = make_id("005", 1)
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SECONDS = 300
"""How far ahead an assertion's end may lie."""

_ERRORS = {
    "invalid_client": ("invalid_client", "invalid client credentials"),
    "missing or unknown auth code": ("invalid_grant", "invalid authorization code"),
    "missing or invalid redirect uri": (
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
    ),
    "code verifier does not match": ("invalid_grant", "invalid code verifier"),
    "missing or invalid refresh token": ("invalid_grant", "expired access/refresh token"),
    "unsupported_grant_type": ("unsupported_grant_type", "grant type not supported"),
    "missing or unknown client id": ("invalid_client_id", "client identifier invalid"),
}


def _refuse(error: OAuthError) -> Response:
    """An OAuth error in Salesforce's words."""
    word, text = _ERRORS.get(error.description) or _ERRORS.get(
        error.error, (error.error, error.description)
    )
    return Response.of_json({"error": word, "error_description": text}, 400)


def authorize(org: Account, request: Request) -> Response:
    """GET the consent page: it redirects at once."""
    try:
        return org.vault.authorize(request)
    except OAuthError as error:
        return _refuse(error)


def token(org: Account, request: Request) -> Response:
    """POST for an access token, by any of the flows."""
    form = client_form(request)
    try:
        if form.get("grant_type") == JWT:
            made, refresh = org.vault.issue(_claimed(org, form.get("assertion", ""))), ""
        else:
            made, refresh = org.vault.exchange(form)
    except OAuthError as error:
        return _refuse(error)
    return Response.of_json(_granted(org, request, form, made, refresh))


def _granted(
    org: Account, request: Request, form: dict[str, str], made: Token, refresh: str
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": made.value,
        "signature": base64.b64encode(b"sandbox signature, not checked").decode(),
        "scope": " ".join(sorted(made.scopes)),
        "instance_url": request.base_url,
        "id": f"https://login.salesforce.com/id/{ORG_ID}/{USER_ID}",
        "token_type": "Bearer",
        "issued_at": str(int(org.now() * 1000)),
    }
    if form.get("grant_type") == "authorization_code" and "refresh_token" in made.scopes:
        body["refresh_token"] = refresh
    return body


def _part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _claimed(org: Account, assertion: str) -> tuple[str, ...]:
    """The scopes that a signed assertion stands for. Raises OAuthError."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        signed, _, signature = assertion.rpartition(".")
        header, _, payload = signed.partition(".")
        if orjson.loads(_part(header)).get("alg") != "RS256" or org.certificate is None:
            raise OAuthError("invalid_grant", "invalid assertion")
        key = load_pem_public_key(org.certificate)
        if not isinstance(key, RSAPublicKey):
            raise OAuthError("invalid_grant", "invalid assertion")
        key.verify(_part(signature), signed.encode(), PKCS1v15(), SHA256())
        claims = orjson.loads(_part(payload))
    except (ValueError, InvalidSignature):
        raise OAuthError("invalid_grant", "invalid assertion") from None
    if claims.get("iss") != CLIENT_ID:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if claims.get("aud") not in org.audiences:
        if claims.get("aud") in LEGACY:
            raise OAuthError("app_not_found", "External client app is not installed in this org")
        raise OAuthError("invalid_grant", "audience is invalid")
    if claims.get("sub") != USERNAME:
        raise OAuthError("invalid_grant", "user hasn't approved this consumer")
    if not org.now() < float(claims.get("exp") or 0) <= org.now() + JWT_SECONDS:
        raise OAuthError("invalid_grant", "assertion is expired, or ends too far ahead")
    return org.vault.scopes


def grant(org: Account) -> str:
    """A fresh refresh token, as after a consent with PKCE: it needs no client secret."""
    refresh = org.vault.grant(org.vault.scopes)
    org.vault.refreshes[refresh] = Grant(org.vault.scopes, challenge="spent")
    return refresh


def revoke(org: Account, request: Request) -> Response:
    """POST a token of either kind, to revoke it."""
    org.vault.revoke(request.form().get("token") or request.one("token") or "")
    return Response(200)


def userinfo(org: Account, request: Request) -> Response:
    """GET who the token belongs to."""
    return Response.of_json(
        {
            "sub": f"https://login.salesforce.com/id/{ORG_ID}/{USER_ID}",
            "user_id": USER_ID,
            "organization_id": ORG_ID,
            "preferred_username": USERNAME,
            "name": "Anna Müller",
            "email": USERNAME,
            "active": True,
            "updated_at": iso(org.now()),
        }
    )


def identity(org: Account, request: Request, holder: str, user: str) -> Response:
    """GET the identity URL that a token answer names."""
    return userinfo(org, request)


def versions(org: Account, request: Request) -> Response:
    """GET the versions there are. Needs no token and is not counted."""
    found = [
        {"label": f"v{n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
        for n in range(OLDEST, NEWEST + 1)
    ]
    return Response.of_json(found)


def resources(org: Account, request: Request, version: str) -> Response:
    """GET what a version has."""
    names = ("sobjects", "query", "queryAll", "composite", "jobs", "limits")
    return Response.of_json({name: f"/services/data/{version}/{name}" for name in names})


_LIMITS = """
ActiveScratchOrgs:3 AnalyticsExternalDataSizeMB:40960 ConcurrentAsyncGetReportInstances:200
ConcurrentEinsteinDataInsightsStoryCreation:5 ConcurrentEinsteinDiscoveryStoryCreation:2
ConcurrentSyncReportRuns:20 DailyAnalyticsDataflowJobExecutions:60
DailyAnalyticsUploadedFilesSizeMB:51200 DailyAsyncApexExecutions:250000 DailyAsyncApexTests:540
DailyBulkApiBatches:15000 DailyBulkV2QueryFileStorageMB:976562 DailyDeliveredPlatformEvents:10000
DailyDurableGenericStreamingApiEvents:10000 DailyDurableStreamingApiEvents:10000
DailyEinsteinDataInsightsStoryCreation:1000 DailyEinsteinDiscoveryOptimizationJobRuns:25
DailyEinsteinDiscoveryPredictAPICalls:50000 DailyEinsteinDiscoveryPredictionsByCDC:500000
DailyEinsteinDiscoveryStoryCreation:100 DailyFunctionsApiCallLimit:235000
DailyGenericStreamingApiEvents:10000 DailyScratchOrgs:6 DailyStandardVolumePlatformEvents:10000
DailyStreamingApiEvents:10000 DailyWorkflowEmails:1005 DataStorageMB:5
DurableStreamingApiConcurrentClients:20 FileStorageMB:20 HourlyAsyncReportRuns:1200
HourlyDashboardRefreshes:200 HourlyDashboardResults:5000 HourlyDashboardStatuses:999999999
HourlyLongTermIdMapping:100000 HourlyManagedContentPublicRequests:50000 HourlyODataCallout:1000
HourlyPublishedPlatformEvents:50000 HourlyPublishedStandardVolumePlatformEvents:1000
HourlyShortTermIdMapping:100000 HourlySyncReportRuns:500 HourlyTimeBasedWorkflow:50 MassEmail:10
MonthlyEinsteinDiscoveryStoryCreation:500 Package2VersionCreates:6
Package2VersionCreatesWithoutValidation:500 PermissionSets:1500
PrivateConnectOutboundCalloutHourlyLimitMB:0 PublishCallbackUsageInApex:1 SingleEmail:15
StreamingApiConcurrentClients:20
"""


def limits(org: Account, request: Request, version: str) -> Response:
    """GET what is left of the org's allocations; needs "View Setup and Configuration"."""
    org.setup_shown(request)
    found: dict[str, Any] = {}
    for item in _LIMITS.split():
        name, _, most = item.partition(":")
        found[name] = {"Max": int(most), "Remaining": int(most)}
    found["PermissionSets"]["CreateCustom"] = {"Max": 1000, "Remaining": 998}
    used, most_calls = org.usage()
    found["DailyApiRequests"] = {"Max": most_calls, "Remaining": max(0, most_calls - used)}
    found["DailyBulkV2QueryJobs"] = {"Max": 10_000, "Remaining": 10_000 - org.query_jobs}
    return Response.of_json(found)


def record_count(org: Account, request: Request, version: str) -> Response:
    """GET about how many records types have: a count that was taken some time ago, of the whole org
    whoever may see it, and of no history. Needs "View Setup and Configuration"."""
    org.setup_shown(request)
    hidden = org.hidden_from(request)
    shown = [
        {"count": org.counts.get(name, len(org.tables[name])), "name": name}
        for name in request.many("sObjects")
        if name in org.tables and name not in hidden and not name.endswith("History")
    ]
    return Response.of_json({"sObjects": shown})


_DATA = "/services/data"
ROUTES = (
    Route("GET", "/services/oauth2/authorize", authorize, quota="open"),
    Route("POST", "/services/oauth2/token", token, quota="open"),
    Route("POST", "/services/oauth2/revoke", revoke, quota="open"),
    Route("GET", "/services/oauth2/revoke", revoke, quota="open"),
    Route("GET", "/services/oauth2/userinfo", userinfo, quota="free"),
    Route("POST", "/services/oauth2/userinfo", userinfo, quota="free"),
    Route(
        "GET", "/id/{org}/{user}", lambda org, request, **_: userinfo(org, request), quota="free"
    ),
    Route("GET", _DATA, versions, quota="open"),
    Route("GET", f"{_DATA}/{{version}}", resources),
    Route("GET", f"{_DATA}/{{version}}/limits", limits),
    Route("GET", f"{_DATA}/{{version}}/limits/recordCount", record_count),
)
