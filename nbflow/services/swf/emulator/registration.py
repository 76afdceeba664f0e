"""Operations on domains and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nbflow.services.swf.emulator.faults import Fault, invalid, type_text
from nbflow.services.swf.emulator.journal import chosen
from nbflow.services.swf.emulator.paging import page
from nbflow.services.swf.emulator.world import Domain, Registered, World
from nbflow.services.swf.shapes import Data

Operation = Callable[[World, Data], Data]

_ACCOUNT: Final = "000000000000"


def _arn(world: World, name: str) -> str:
    return f"arn:aws:swf:{world.region}:{_ACCOUNT}:/domain/{name}"


def _register_domain(world: World, given: Data) -> Data:
    name, days = given["name"], given["workflowExecutionRetentionPeriodInDays"]
    if name in world.domains:
        raise Fault("DomainAlreadyExistsFault", name)
    if days != "NONE" and int(days) > world.limits.retention_days:
        raise invalid(f"A domain keeps executions for at most {world.limits.retention_days} days")
    if len(world.domains) >= world.limits.domains:
        raise Fault("LimitExceededFault", f"There are {world.limits.domains} domains already")
    domain = Domain(name, given, world.now)
    _tag(world, domain, given.get("tags") or [])
    world.domains[name] = domain
    return {}


def _domain_info(world: World, domain: Domain) -> Data:
    status = "DEPRECATED" if domain.deprecated else "REGISTERED"
    info = {"name": domain.name, "status": status, "arn": _arn(world, domain.name)}
    return info | chosen(domain.given, "description")


def _describe_domain(world: World, given: Data) -> Data:
    domain = world.domain(given["name"])
    days = domain.given["workflowExecutionRetentionPeriodInDays"]
    configuration = {"workflowExecutionRetentionPeriodInDays": days}
    return {"domainInfo": _domain_info(world, domain), "configuration": configuration}


def _list_domains(world: World, given: Data) -> Data:
    wanted = given["registrationStatus"] == "DEPRECATED"
    found = [d for d in world.domains.values() if d.deprecated == wanted]
    found.sort(key=lambda d: d.name, reverse=bool(given.get("reverseOrder")))
    infos = [_domain_info(world, d) for d in found]
    return page(world, given, "domains", infos).answer("domainInfos")


def _deprecate_domain(world: World, given: Data) -> Data:
    domain = world.domain(given["name"])
    if domain.deprecated:
        raise Fault("DomainDeprecatedFault", domain.name)
    domain.deprecated = True
    return {}


def _undeprecate_domain(world: World, given: Data) -> Data:
    domain = world.domain(given["name"])
    if not domain.deprecated:
        raise Fault("DomainAlreadyExistsFault", domain.name)
    domain.deprecated = False
    return {}


def _tagged(world: World, arn: str) -> Domain:
    prefix = _arn(world, "")
    if not arn.startswith(prefix):
        raise invalid(f"Invalid ARN: {arn}")
    return world.domain(arn.removeprefix(prefix))


def _tag(world: World, domain: Domain, tags: list[Data]) -> None:
    merged = domain.tags | {tag["key"]: tag.get("value") or "" for tag in tags}
    if len(merged) > world.limits.tags:
        raise Fault("TooManyTagsFault", f"A domain has at most {world.limits.tags} tags")
    domain.tags = merged


def _tag_resource(world: World, given: Data) -> Data:
    _tag(world, _tagged(world, given["resourceArn"]), given["tags"])
    return {}


def _untag_resource(world: World, given: Data) -> Data:
    domain = _tagged(world, given["resourceArn"])
    for key in given["tagKeys"]:
        domain.tags.pop(key, None)
    return {}


def _list_tags(world: World, given: Data) -> Data:
    domain = _tagged(world, given["resourceArn"])
    return {"tags": [{"key": key, "value": value} for key, value in domain.tags.items()]}


def _register(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        domain = world.domain(given["domain"], fit=True)
        key = given["name"], given["version"]
        if key in domain.types[kind]:
            raise Fault("TypeAlreadyExistsFault", type_text(kind, *key))
        if len(domain.types[kind]) >= world.limits.types:
            raise Fault("LimitExceededFault", f"There are {world.limits.types} types already")
        domain.types[kind][key] = Registered(*key, given, world.now)
        return {}

    return operation


def _type_info(kind: str, registered: Registered) -> Data:
    member = f"{kind.lower()}Type"
    info = {
        member: {"name": registered.name, "version": registered.version},
        "status": "REGISTERED" if registered.deprecated is None else "DEPRECATED",
        "creationDate": registered.created,
        **chosen(registered.given, "description"),
    }
    if registered.deprecated is not None:
        info["deprecationDate"] = registered.deprecated
    return info


def _describe(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        wanted = given[f"{kind.lower()}Type"]
        registered = world.type(world.domain(given["domain"]), kind, wanted)
        defaults = [name for name in registered.given if name.startswith("default")]
        configuration = chosen(registered.given, *defaults)
        return {"typeInfo": _type_info(kind, registered), "configuration": configuration}

    return operation


def _list_types(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        domain = world.domain(given["domain"])
        wanted = given["registrationStatus"] == "DEPRECATED"
        found = [
            _type_info(kind, domain.types[kind][key])
            for key in sorted(domain.types[kind], reverse=bool(given.get("reverseOrder")))
            if (domain.types[kind][key].deprecated is not None) == wanted
            and given.get("name") in {None, key[0]}
        ]
        return page(world, given, f"types/{kind}/{domain.name}", found).answer("typeInfos")

    return operation


def _deprecate(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        wanted = given[f"{kind.lower()}Type"]
        registered = world.type(world.domain(given["domain"]), kind, wanted)
        if registered.deprecated is not None:
            raise Fault("TypeDeprecatedFault", type_text(kind, registered.name, registered.version))
        registered.deprecated = world.now
        return {}

    return operation


def _undeprecate(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        wanted = given[f"{kind.lower()}Type"]
        registered = world.type(world.domain(given["domain"]), kind, wanted)
        if registered.deprecated is None:
            text = type_text(kind, registered.name, registered.version)
            raise Fault("TypeAlreadyExistsFault", text)
        registered.deprecated = None
        return {}

    return operation


def _delete(kind: str) -> Operation:
    def operation(world: World, given: Data) -> Data:
        domain = world.domain(given["domain"])
        registered = world.type(domain, kind, given[f"{kind.lower()}Type"])
        key = registered.name, registered.version
        if registered.deprecated is None:
            raise Fault("TypeNotDeprecatedFault", type_text(kind, *key))
        del domain.types[kind][key]
        return {}

    return operation


OPERATIONS: Final[dict[str, Operation]] = {
    "RegisterDomain": _register_domain,
    "DescribeDomain": _describe_domain,
    "ListDomains": _list_domains,
    "DeprecateDomain": _deprecate_domain,
    "UndeprecateDomain": _undeprecate_domain,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "ListTagsForResource": _list_tags,
    **{f"Register{kind}Type": _register(kind) for kind in ("Activity", "Workflow")},
    **{f"Describe{kind}Type": _describe(kind) for kind in ("Activity", "Workflow")},
    **{f"List{kind}Types": _list_types(kind) for kind in ("Activity", "Workflow")},
    **{f"Deprecate{kind}Type": _deprecate(kind) for kind in ("Activity", "Workflow")},
    **{f"Undeprecate{kind}Type": _undeprecate(kind) for kind in ("Activity", "Workflow")},
    **{f"Delete{kind}Type": _delete(kind) for kind in ("Activity", "Workflow")},
}
