"""Domains, types and executions as objects, on the emulator."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import NbflowError
from nbflow.services.swf import (
    ActivityType,
    ActivityTypeQuerySet,
    AlreadyExists,
    Api,
    Deprecated,
    DoesNotExist,
    Domain,
    DomainQuerySet,
    History,
    Invalid,
    Refused,
    SwfError,
    Throttled,
    TypeName,
    Unreachable,
    WorkflowExecutionQuerySet,
    WorkflowType,
    WorkflowTypeQuerySet,
    connect,
    emulator,
    shapes,
)
from tests.swf.places import Place, complete


@pytest.fixture
def api(here: Place) -> Api:
    return Api(here.client)


@pytest.fixture
def domain(here: Place, api: Api) -> Domain:
    return Domain(api=api, name=here.domain)


def flow(domain: Domain, here: Place, **given) -> WorkflowType:
    settings: dict[str, Any] = {
        "task_list": here.decisions["name"],
        "child_policy": "TERMINATE",
        "execution_timeout": 600,
        "decision_timeout": 60,
    }
    made = WorkflowType(api=domain.api, domain=domain, name="flow", version="1", **settings | given)
    return made.save()


# Operations


def test_every_operation_is_a_method(api: Api):
    """All 39 operations can be called by their names in Python, and are listed by dir()."""
    from botocore import xform_name

    names = {xform_name(name) for name in shapes.operations()}
    assert len(names) == 39
    assert names <= set(dir(api))
    assert api.list_domains(registrationStatus="REGISTERED")["domainInfos"]
    with pytest.raises(AttributeError, match="no operation 'nonsense'"):
        api.nonsense()


def test_what_is_wrong_is_not_sent(api: Api, here: Place):
    """A request that botocore would send is refused here, and the service hears nothing of it."""
    before = here.endpoint.stats()["requests"]
    with pytest.raises(Invalid, match="length less than or equal to 32768"):
        api.signal_workflow_execution(
            domain="d", workflowId="w", signalName="s", input="x" * 32_769
        )
    with pytest.raises(Invalid, match="has no such member"):
        api.list_domains(registrationStatus="REGISTERED", nonsense=1)
    assert here.endpoint.stats()["requests"] == before


def test_faults_are_errors_with_their_names(api: Api, domain: Domain, here: Place):
    """Each kind of fault is a class of its own, and says what was asked and what was said."""
    with pytest.raises(DoesNotExist, match="DescribeDomain was refused: UnknownResource") as raised:
        api.describe_domain(name="nowhere")
    assert (raised.value.code, raised.value.said) == (
        "UnknownResourceFault",
        "Unknown domain: nowhere",
    )
    with pytest.raises(AlreadyExists):
        api.register_domain(name=domain.name, workflowExecutionRetentionPeriodInDays="1")
    kind = flow(domain, here)
    with pytest.raises(Deprecated):
        api.delete_workflow_type(
            domain=domain.name, workflowType={"name": kind.name, "version": kind.version}
        )
    here.endpoint.inject("throttle")
    with pytest.raises(Throttled):
        api.describe_domain(name=domain.name)
    here.endpoint.inject("lost")
    with pytest.raises(Unreachable, match="got no answer"):
        api.describe_domain(name=domain.name)
    copy = raised.value.__reduce__()
    assert isinstance(copy[0](*copy[1]), Refused)


def test_listings_are_read_page_by_page(api: Api, here: Place):
    """Pages are asked for when their entries are."""
    for number in range(5):
        api.register_activity_type(domain=here.domain, name=f"t{number}", version="1")
    before = here.endpoint.stats()["requests"].get("ListActivityTypes", 0)
    listed = api.listed(
        "ListActivityTypes", domain=here.domain, registrationStatus="REGISTERED", maximumPageSize=2
    )
    first = [info["activityType"]["name"] for info in itertools.islice(listed, 2)]
    assert here.endpoint.stats()["requests"]["ListActivityTypes"] == before + 1
    rest = [info["activityType"]["name"] for info in listed]
    assert first + rest == [f"t{number}" for number in range(5)]


# Clients


def test_the_endpoint_may_come_from_the_environment(here: Place, monkeypatch: pytest.MonkeyPatch):
    """AWS_ENDPOINT_URL says where; the region is needed only where there is one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", here.endpoint.url)
    names = [domain.name for domain in DomainQuerySet().all()]
    assert here.domain in names


def test_a_client_waits_longer_than_a_poll_is_held():
    """The read time-out is above the 60 seconds of a poll, and the region is said or asked for."""
    client = connect(region="eu-west-1", endpoint_url="http://127.0.0.1:1")
    assert client.meta.config.read_timeout >= 70
    with pytest.raises(NbflowError, match="no AWS region is set"):
        connect()


def test_no_signature_goes_to_an_emulator(monkeypatch: pytest.MonkeyPatch, here: Place):
    """Credentials of this machine are used for AWS, and on loopback only when asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    sent = []
    for signed in (None, True):
        client = connect(endpoint_url=here.endpoint.url, signed=signed)
        client.meta.events.register(
            "before-send.swf", lambda request, **_: sent.append("Authorization" in request.headers)
        )
        client.list_domains(registrationStatus="REGISTERED")
    assert sent == [False, True]
    assert connect(region="eu-west-1").meta.config.signature_version == "v4"


def test_requests_say_by_what_they_were_made(here: Place):
    """The service's own records show nbflow, its version and that of boto3; or what one says."""
    sent: list[str] = []
    ours: dict[str, Any] = {}
    for more, begins in (
        (ours, f"nbflow/{nbflow.__version__} Boto3/"),
        ({"user_agent": "me"}, "me"),
    ):
        client = connect(endpoint_url=here.endpoint.url, **more)
        client.meta.events.register(
            "before-send.swf", lambda request, **_: sent.append(str(request.headers["User-Agent"]))
        )
        client.list_domains(registrationStatus="REGISTERED")
        assert sent[-1].startswith((begins, f"b'{begins}"))


# Domains


def test_a_domain_is_saved_and_compared(api: Api, here: Place):
    """Saving registers; once more is no error; what is different says how."""
    name = here.name("saved")
    made = Domain(api=api, name=name, retention=7, description="about")
    assert (made.exists, made.is_synced) == (False, False)
    saved = made.save()
    assert saved.status == "REGISTERED"
    assert made.is_synced is True
    assert made.save() == saved == made.upstream()
    other = Domain(api=api, name=name, retention=8)
    assert other.changes == [("retention", 8, 7)]
    with pytest.raises(SwfError, match="retention is 7, not 8"):
        other.save()


def test_a_domain_is_deprecated_and_brought_back(api: Api, here: Place):
    """Deprecating shows in the changes, and saving with a status brings it about."""
    made = Domain(api=api, name=here.name("back"), status="REGISTERED").save()
    made.delete()
    assert made.changes == [("status", "REGISTERED", "DEPRECATED")]
    with pytest.raises(Deprecated):
        made.deprecate()
    made.save()
    assert made.is_synced
    gone = Domain(api=api, name=here.name("gone"), status="DEPRECATED").save()
    assert gone.status == "DEPRECATED"
    assert gone.exists
    gone.undeprecate()
    with pytest.raises(AlreadyExists):
        gone.undeprecate()


def test_domains_are_found_and_made(api: Api, here: Place):
    """get, create, get_or_create, filter and all."""
    domains = DomainQuerySet(api)
    name = here.name("found")
    with pytest.raises(DoesNotExist):
        domains.get(name)
    made = domains.get_or_create(name, retention=3)
    assert domains.get_or_create(name, retention=9) == made == domains.get(name)
    assert domains.create(name, retention=3) == made
    assert name in {domain.name for domain in domains.filter()}
    made.deprecate()
    assert name in {domain.name for domain in domains.filter("DEPRECATED")}
    assert {name, here.domain} <= {domain.name for domain in domains.all()}


def test_domains_have_tags(domain: Domain):
    """Tags are set, read and taken away."""
    domain.tag(team="data", stage="test")
    domain.untag("stage")
    assert domain.tags == {"team": "data"}


# Types


def test_a_type_is_saved_and_compared(domain: Domain):
    """Numbers and their texts are the same; what the type leaves open is no difference."""
    made = ActivityType(
        api=domain.api,
        domain=domain,
        name="work",
        version="1",
        task_list="there",
        task_priority=5,
        start_to_close_timeout=60,
        heartbeat_timeout="NONE",
    )
    saved = made.save()
    assert saved.start_to_close_timeout == "60"
    assert made.is_synced
    assert made.save() == saved
    changed = ActivityType(
        api=domain.api, domain=domain, name="work", version="1", start_to_close_timeout=61
    )
    assert [c.field for c in changed.changes] == ["start_to_close_timeout"]
    with pytest.raises(SwfError, match="register another version"):
        changed.save()
    assert saved.type == TypeName("work", "1")
    assert saved.creation_date


@pytest.mark.parametrize("queryset", [ActivityTypeQuerySet, WorkflowTypeQuerySet])
def test_types_are_found_made_and_deleted(domain: Domain, queryset: type):
    """get, create, get_or_create, filter, all, deprecate, undeprecate and delete."""
    types = queryset(domain)
    with pytest.raises(DoesNotExist):
        types.get("t", "1")
    made = types.get_or_create("t", "1", task_list="there")
    assert types.get_or_create("t", "1") == made == types.get("t", "1")
    types.create("u", "1")
    assert {kind.name for kind in types.filter()} == {"t", "u"}
    assert [kind.name for kind in types.filter(name="u")] == ["u"]
    made.deprecate()
    assert [kind.name for kind in types.filter("DEPRECATED")] == ["t"]
    assert [kind.name for kind in types.all()] == ["u", "t"]
    made.undeprecate()
    made.delete()
    assert not made.exists


# Executions


def test_an_execution_is_started_told_and_ended(domain: Domain, here: Place):
    """Everything that can be done to an execution, by its object."""
    kind = flow(domain, here)
    run = kind.start("w", input="in", tags=("a", "b"), decision_timeout=30)
    there: Any = run.upstream()
    assert (there.status, there.tags, there.decision_timeout) == ("OPEN", ("a", "b"), "30")
    assert there.workflow_type == kind.type
    assert there.open_counts["openDecisionTasks"] == 1
    assert run.is_synced
    run.signal("s", "text")
    run.request_cancel()
    assert run.upstream().cancel_requested is True
    run.terminate("enough", child_policy="ABANDON")
    history = History.of(run.events())
    assert history.status == "terminated"
    assert [event.input for event in history.signals] == ["text"]
    assert next(run.events(reverse=True)).reason == "enough"
    with pytest.raises(DoesNotExist):
        run.signal("late")
    with pytest.raises(TypeError, match="start\\(\\) has no nonsense"):
        kind.start("w", nonsense=1)


def test_executions_are_found(domain: Domain, here: Place):
    """By name or run, by filters, open and closed; never one of another workflow id."""
    kind, runs = flow(domain, here), WorkflowExecutionQuerySet(domain)
    with pytest.raises(DoesNotExist):
        runs.get("one")
    one = runs.get_or_create(kind, "one", tags=("x",))
    assert runs.get_or_create(kind, "one").run_id == one.run_id
    with pytest.raises(AlreadyExists):
        runs.create(kind, "one")
    here.decide(complete())
    two = kind.start("two")
    assert runs.get("one").close_status == "COMPLETED"
    assert runs.get("two") == two.upstream() == runs.get("two", two.run_id)
    assert [run.workflow_id for run in runs.all()] == ["two", "one"]
    assert [run.workflow_id for run in runs.filter("CLOSED", tag="x")] == ["one"]
    assert [run.workflow_id for run in runs.filter("CLOSED", close_status="FAILED")] == []
    assert [run.workflow_id for run in runs.filter(name="flow", version="1")] == ["two"]
    assert (runs.count(), runs.count("CLOSED", workflow_id="one")) == (1, 1)
    assert list(runs.filter(since=0, until=1)) == []
    with pytest.raises(TypeError, match="count\\(\\) has no nonsense"):
        runs.count(nonsense=1)
    with pytest.raises(SwfError, match="A run_id is needed"):
        type(one)(api=domain.api, domain=domain, workflow_id="one").upstream()


@pytest.mark.slow
def test_no_other_execution_is_taken_for_the_one_asked_for(moto_client: Any):
    """A server that overlooks the filter, as moto does, gives nobody somebody else's execution."""
    place = Place("moto", moto_client, "elsewhere")
    moto_client.register_domain(name="elsewhere", workflowExecutionRetentionPeriodInDays="1")
    place.start("somebody")
    runs = WorkflowExecutionQuerySet(Domain(api=Api(moto_client), name="elsewhere"))
    assert list(runs.filter(workflow_id="nobody")), "moto has learned to filter"
    with pytest.raises(DoesNotExist):
        runs.get("nobody")


def test_models_are_values(domain: Domain):
    """Two that say the same are equal, whoever reaches the service for them."""
    other = Domain(api=Api(object()), name=domain.name)
    assert other == domain
    assert other != Domain(api=domain.api, name="other")
    assert "api" not in repr(domain)


def test_the_first_thing_to_try_works(capsys: pytest.CaptureFixture):
    """A domain, a type, an execution and its history in a few lines."""
    with emulator.running() as endpoint:
        domain = Domain(api=Api(endpoint.client()), name="analytics", retention=30).save()
        kind = WorkflowTypeQuerySet(domain).create(
            "report",
            "1",
            task_list="t",
            child_policy="ABANDON",
            execution_timeout=60,
            decision_timeout=10,
        )
        run = kind.start("monday", input="7")
        print(*(event.kind for event in run.events()))
    assert capsys.readouterr().out == "WorkflowExecutionStarted DecisionTaskScheduled\n"
