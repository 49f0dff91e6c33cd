//! A flow in the objects of the schema.

use jiff::Timestamp;

use crate::events::{
    context::PlaceInfo,
    encode::{
        ecs::{pod, range_name},
        json::Object,
        text::workload,
        transport,
    },
    record::{Destination, Facts, Outcome, Process, ip},
};

pub(super) fn write_connection(line: &mut Object<'_>, destination: &Destination) {
    let (version, name) = if ip(destination.addr).is_ipv4() {
        (4, "Internet Protocol version 4 (IPv4)")
    } else {
        (6, "Internet Protocol version 6 (IPv6)")
    };
    line.object("connection_info", |connection| {
        connection.number("direction_id", 2);
        connection.word("direction", "Outbound");
        connection.number("protocol_num", destination.proto.0);
        connection.maybe("protocol_name", transport(destination.proto));
        connection.number("protocol_ver_id", version);
        connection.word("protocol_ver", name);
    });
}

pub(super) fn write_destination(line: &mut Object<'_>, destination: &Destination) {
    let place = &destination.place;
    line.object("dst_endpoint", |endpoint| {
        endpoint.shown("ip", ip(destination.addr));
        if let Some(port) = destination.port {
            endpoint.number("port", port.0);
        }
        endpoint.maybe("hostname", destination.names.domain.as_deref());
        // The schema wants a country that is one: what is not known is left out.
        if let (Some(country), None) = (&place.country, place.range) {
            endpoint.object("location", |location| {
                location.text("country", country.as_str());
            });
        }
        if let Some(asn) = place.asn {
            endpoint.object("autonomous_system", |system| {
                system.number("number", asn.0);
                system.maybe("name", place.as_name.as_deref());
            });
        }
    });
}

pub(super) fn write_rule(line: &mut Object<'_>, facts: &Facts) {
    let Some(rule) = &facts.rule else {
        return;
    };
    line.object("firewall_rule", |object| {
        object.shown("uid", format_args!("{}/{}", rule.policy, rule.rule));
        object.text("name", &rule.rule);
        object.word("type", "egress");
    });
    line.object("policy", |object| {
        object.text("name", &rule.policy);
        object.shown("uid", format_args!("{}", rule.policy));
        object.flag("is_applied", facts.outcome != Outcome::WouldDeny);
    });
}

pub(super) fn write_process(object: &mut Object<'_>, facts: &Facts, process: &Process) {
    object.number("pid", process.pid);
    object.text("name", &process.name.to_text());
    object.object("user", |user| user.shown("uid", process.uid));
    if let Some(image) = &process.image {
        object.maybe("cmd_line", image.command_line.as_deref());
        write_file(object, image.executable.as_deref());
        if let Some(parent) = &image.parent {
            object.object("parent_process", |object| {
                object.number("pid", parent.pid);
                if let Some(name) = &parent.name {
                    object.text("name", &name.to_text());
                }
                write_file(object, parent.executable.as_deref());
            });
        }
    }
    if let Some(container) = &facts.placement.container {
        object.object("container", |object| {
            object.text("uid", &container.id);
            object.maybe("runtime", container.runtime);
            object.maybe("pod_uuid", facts.placement.pod_uid.as_deref());
        });
    }
}

fn write_file(object: &mut Object<'_>, path: Option<&str>) {
    let Some(path) = path else {
        return;
    };
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    object.object("file", |file| {
        file.text("name", name);
        file.text("path", path);
        file.number("type_id", 1);
        file.word("type", "Regular File");
    });
}

/// Where it came from, if that is known.
pub(super) fn write_source(line: &mut Object<'_>, facts: &Facts) {
    let Some(source) = facts.source else {
        return;
    };
    line.object("src_endpoint", |endpoint| {
        // An endpoint has more than a port.
        endpoint.text("name", workload(facts));
        if let Some(addr) = source.addr {
            endpoint.shown("ip", ip(addr));
        }
        if let Some(port) = source.port {
            endpoint.number("port", port.0);
        }
    });
}

/// What the schema has no words for, of a flow.
pub(super) fn write_own(own: &mut Object<'_>, facts: &Facts, at: Timestamp) {
    own.word("verdict", facts.outcome.as_str());
    own.maybe("mode", facts.mode.map(|mode| mode.as_str()));
    own.text("workload", workload(facts));
    let known = facts.workload.as_deref();
    own.maybe("workload_kind", known.map(|known| known.kind.as_str()));
    if let Some((namespace, name)) = known.and_then(pod) {
        own.text("namespace", namespace);
        own.text("pod", name);
    }
    own.maybe("cgroup", facts.cgroup.as_deref());
    own.maybe("hook", facts.hook.map(|hook| hook.as_str()));
    own.number("generation", facts.generation);
    if let Some(class) = facts.class {
        own.number("class", class.0);
    }
    if let Some(judged) = facts.destination.judged {
        own.shown("judged_ip", ip(judged));
    }
    if let Some(rule) = &facts.rule {
        own.texts(
            "data_categories",
            rule.data_categories.iter().map(String::as_str),
        );
        own.texts("legal_basis", rule.legal_basis.iter().map(String::as_str));
        own.maybe("no_agreement", rule.no_agreement.as_deref());
        own.shown(
            "rule_source",
            format_args!("{}:{}", rule.file.display(), rule.line),
        );
    }
    write_geo(own, &facts.destination.place, at);
}

fn write_geo(own: &mut Object<'_>, place: &PlaceInfo, at: Timestamp) {
    if let Some(database) = &place.database {
        own.text("geo_database", &database.name);
        if let Some(built) = database.build_epoch() {
            own.number("geo_build_epoch", built);
            own.number("geo_age_days", database.age_days(at));
        }
    }
    own.maybe(
        "geo_agreement",
        place.agreement.map(|agreement| agreement.as_str()),
    );
    own.maybe("geo_range", place.range.and_then(range_name));
    if place.anycast {
        own.flag("anycast", true);
    }
}
