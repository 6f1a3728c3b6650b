"""The two ways in which a query is not answered, worded alike: Elasticsearch refuses it, or it cannot be done here."""

from __future__ import annotations

from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["rejected", "unsupported"]


def rejected(clause: str, what: str, remedy: str = "Correct the query.") -> StoreRejected:
    """What Elasticsearch answers with status 400.

    Args:
        clause: the name of the clause, such as `term`, with the field where there is one: `term [process.name]`.
        what: what was found.
        remedy: what to do, as a sentence.
    """
    return StoreRejected(f"{clause}: {what}; Elasticsearch refuses such a query. {remedy}")


def unsupported(clause: str, what: str, remedy: str = "Write it with other clauses.") -> Unsupported:
    """What Elasticsearch would answer and the embedded store cannot answer in the same way; as `rejected`."""
    return Unsupported(
        f"{clause}: {what}; the embedded store cannot answer this exactly as Elasticsearch does. "
        f"{remedy} Or use a cluster (ELASTICSEARCH_URL)."
    )
