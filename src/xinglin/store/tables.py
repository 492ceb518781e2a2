"""The schema. Every change here needs a migration beside it (a test compares)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from xinglin.store.metadata import RowNumber, metadata

cases = Table(
    "cases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("time", String(32), nullable=False, index=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("title", String(200), nullable=False),
    Column("lang", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("patient", JSON, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("model", String(100), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("confirmed_system", String(40)),
    Column("confirmed_code", String(40)),
    Column("confirmed_display", String(200)),
    Column("confirmed_time", String(32)),
    Column("confirmed_by", String(200)),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", String(32), nullable=False),
    Column("service", String(100), nullable=False),
    Column("card", String(64), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("content", JSON, nullable=False),
)
"""CDS Hooks feedback on cards."""

reports = Table(
    "graph_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", String(32), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("subject", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("open", Boolean, nullable=False),
)
"""Errors that readers report against rows of the graph."""

triples = Table(
    "triples",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("graph", String(64), nullable=False),
    Column("head_system", String(40), nullable=False),
    Column("head", String(200), nullable=False),
    Column("head_display", String(400), nullable=False),
    Column("relation", String(60), nullable=False),
    Column("tail_system", String(40), nullable=False),
    Column("tail", String(200), nullable=False),
    Column("tail_display", String(400), nullable=False),
    Column("qualifier", String(60)),
    Column("weight", Float),
    Column("source", Text, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("reviewed_by", String(200)),
    Index("triples_by_head", "graph", "head"),
    Index("triples_by_tail", "graph", "tail"),
)

graphs = Table(
    "graphs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("time", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("size", Integer, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("password", String(200), nullable=False),
    Column("role", String(40), nullable=False),
    Column("created", String(32), nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user", String(100), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
)
"""Server-side sessions; the cookie holds a random token of which only the SHA-256 is kept."""

attempts = Table(
    "login_attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(200), nullable=False, index=True),
    Column("time", Float, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("created", String(32), nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("salt", String(64), nullable=False),
)
"""``salt`` keys the digests by which the data set's records and subjects are found."""

subjects = Table(
    "subjects",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("salt", String(64)),
    Column("data_key", LargeBinary),
    UniqueConstraint("dataset", "key", name="subjects_by_key"),
)
"""``key``: HMAC of the subject's identifier under the data set's salt. ``salt`` keys the subject's digests
in the ledger; it is destroyed when the subject is erased, and the row without a salt keeps the next
intake from bringing the subject back. ``data_key``: the key of the subject's bodies, wrapped under the archive's
(``records.sealing``); empty where they are not encrypted."""

archive_key = Table(
    "archive_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since", String(32), nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
"""One row once bodies are encrypted: something known, sealed under the key in force, which tells another key."""

records = Table(
    "records",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("subject", RowNumber, ForeignKey("subjects.id"), nullable=False, index=True),
    Column("run", Integer, ForeignKey("intake_runs.id"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("dataset", "key", "version", name="records_by_key"),
    Index("records_in_order", "dataset", "latest", "id", "subject"),
)
"""``key``: HMAC of the record's identifier, ``digest``: HMAC of the body, under the data set's salt.
``body``: canonical JSON, deflated where that pays (``records.codec``). Counting and paging what is latest
needs the index alone."""

intake_runs = Table(
    "intake_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("form", String(40), nullable=False),
    Column("settings", String(64), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("started", String(32), nullable=False),
    Column("moved", String(32), nullable=False),
    Column("unit", Text),
    Column("taken", RowNumber, nullable=False),
    Column("stored", RowNumber, nullable=False),
    Column("changed", RowNumber, nullable=False),
    Column("repeated", RowNumber, nullable=False),
    Column("known", RowNumber, nullable=False),
    Column("erased", RowNumber, nullable=False),
    Column("quarantined", RowNumber, nullable=False),
    Column("encodings", JSON, nullable=False),
)
"""``settings``: SHA-256 of the mapping, the listing and the transformation's name: a run goes on only where
nothing of that changed. ``state``: ``open``, ``finished``, or ``replaced`` by a run with other settings.
``unit`` and ``taken``: the piece of the source (a file), and how many of its items are done."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("run", Integer, ForeignKey("intake_runs.id"), nullable=False, index=True),
    Column("unit", Text, nullable=False),
    Column("place", String(200), nullable=False),
    Column("reason", Text, nullable=False),
)
"""What could not be read: where it stands and why, never what it holds."""

consents = Table(
    "consents",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False),
    Column("subject", RowNumber, ForeignKey("subjects.id")),
    Column("purpose", String(40), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("basis", String(400), nullable=False),
    Column("by", String(200), nullable=False),
    Column("time", String(32), nullable=False),
    Column("expires", String(32)),
    Index("consents_by_subject", "dataset", "purpose", "subject"),
)
"""Statements in order; the newest of a subject for a purpose holds. Without a subject: of the data set."""

grants = Table(
    "grants",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("dataset", Integer, ForeignKey("datasets.id"), nullable=False),
    Column("grantee", String(200), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("by", String(200), nullable=False),
    Column("time", String(32), nullable=False),
    Column("expires", String(32)),
    Index("grants_by_grantee", "dataset", "grantee", "purpose"),
)
"""Statements in order; the newest for a grantee and a purpose holds."""

campaigns = Table(
    "annotation_campaigns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created", String(32), nullable=False),
    Column("lead", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("scheme", JSON, nullable=False),
    Column("scheme_digest", String(64), nullable=False),
    Column("lease", Float, nullable=False),
    Column("assisted", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("audit_seed", String(200)),
)

campaign_roles = Table(
    "annotation_roles",
    metadata,
    Column("campaign", String(32), primary_key=True),
    Column("user", String(200), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("time", String(32), nullable=False),
)

campaign_items = Table(
    "annotation_items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign", String(32), nullable=False),
    Column("record", String(200), nullable=False),
    Column("key", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("subject", String(64), nullable=False),
    Column("audit", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("final_system", String(40)),
    Column("final_value", Text),
    Column("final_display", Text),
    UniqueConstraint("campaign", "key", "audit", name="annotation_items_once"),
    Index("annotation_items_by_state", "campaign", "audit", "state"),
)
"""A record under annotation; one drawn for the audit has a second row, with labels of its own."""

campaign_slots = Table(
    "annotation_slots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign", String(32), nullable=False),
    Column("item", Integer, nullable=False, index=True),
    Column("record", String(200), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("annotator", String(200)),
    Column("leased_until", Float),
    Column("opened", Float),
    Column("length", Integer),
    Column("vote_seen", Boolean, nullable=False),
    # The blindness of a round rests here: nobody holds two places on one record, in whatever stage.
    UniqueConstraint("campaign", "record", "annotator", name="annotation_slots_one_a_person"),
    Index("annotation_slots_by_queue", "campaign", "stage", "state", "position"),
    Index("annotation_slots_by_person", "campaign", "annotator", "state"),
)
"""A place for one person's label; ``annotator`` is empty until somebody takes it."""

campaign_decisions = Table(
    "annotation_decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign", String(32), nullable=False),
    Column("slot", Integer, nullable=False, index=True),
    Column("annotator", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("system", String(40)),
    Column("value", Text),
    Column("display", Text),
    Column("confidence", Float),
    Column("spans", JSON, nullable=False),
    Column("reason", Text),
    Column("seconds", Float),
    Column("time", String(32), nullable=False),
    Index("annotation_decisions_by_person", "campaign", "annotator", "id"),
)
"""Rows are added and never changed: taking back is a row of its own. ``value``: codes joined by spaces, ``display``: their
names, a line each (``labels.answer``)."""

campaign_votes = Table(
    "annotation_votes",
    metadata,
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("model", String(200), nullable=False),
    Column("system", String(40)),
    Column("value", String(200)),
    Column("display", String(400)),
    Column("probability", Float),
    Column("spans", JSON, nullable=False),
    Column("time", String(32), nullable=False),
)
"""What the model says of an item, made once; without a code it abstained."""

federation_nodes = Table(
    "federation_nodes",
    metadata,
    Column("site", String(100), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("node", String(40)),
    Column("registered", String(32), nullable=False),
    Column("seen", String(32)),
)
"""A hospital that may take part; ``node`` is Flower's number of it (64 bits, hence text)."""

federation_jobs = Table(
    "federation_jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("job", JSON, nullable=False),
    Column("mode", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text),
    Column("started", String(32), nullable=False),
    Column("ended", String(32)),
    Column("model", String(64)),
)
"""A job at the coordinator; ``model`` is the SHA-256 of what came out."""

federation_rounds = Table(
    "federation_rounds",
    metadata,
    Column("job", String(40), primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("model", String(64)),
)
"""A finished round; round 0 is the admission of the hospitals."""

federation_site_metrics = Table(
    "federation_site_metrics",
    metadata,
    Column("job", String(40), primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("site", String(100), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", Text),
    Column("examples", Integer),
    Column("train", JSON, nullable=False),
    Column("evaluate", JSON, nullable=False),
    Column("unit", String(20)),
    Column("spent", Float),
    Column("allowed", Float),
    Column("delta", Float),
)
"""What one hospital did in one round, and the privacy budget as it told: spent and allowed epsilon at ``delta``."""
