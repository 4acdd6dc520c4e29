"""A look-alike of Salesforce: REST API, Bulk API 2.0 and OAuth of one org."""

from .provider import Salesforce

__all__ = ["Salesforce"]
