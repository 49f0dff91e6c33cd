use super::*;
use crate::policy::load_with;

fn document(path: String, text: String) -> ClusterDocument {
    ClusterDocument {
        file: BundleFile { path, text },
        generation: 1,
        canary: None,
    }
}

fn policy(name: &str, region: &str) -> ClusterDocument {
    document(
        format!("egresspolicies/{name}"),
        format!(
            "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: {name}}}\n\
             spec:\n  selector: [{{exec: true}}]\n  rules:\n  - {{name: one, action: allow, \
             peers: [{{regions: [{region}]}}]}}\n"
        ),
    )
}

fn region(name: &str, code: &str) -> ClusterDocument {
    document(
        format!("regions/{name}"),
        format!(
            "apiVersion: enforcer.dev/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\n\
             spec: {{members: [{{countries: [{code}]}}]}}\n"
        ),
    )
}

fn of_namespace(namespace: &str, country: &str) -> ClusterDocument {
    document(
        format!("namespacedegresspolicies/{namespace}/a"),
        format!(
            "apiVersion: enforcer.dev/v1alpha1\nkind: NamespacedEgressPolicy\n\
             metadata: {{name: a, namespace: {namespace}}}\nspec:\n  selector: [{{pods: {{}}}}]\n  \
             rules:\n  - {{name: one, action: allow, peers: [{{countries: [{country}]}}]}}\n"
        ),
    )
}

fn set(documents: &[ClusterDocument]) -> ClusterSet {
    let mut set = ClusterSet::none(PathBuf::new());
    set.advance(documents.to_vec());
    set
}

fn settle(set: &ClusterSet, wanted: &[ClusterDocument]) -> Result<Settled, Diagnostics> {
    set.settle(wanted, &Bundle::default(), |bundle| load_with(&[], bundle))
}

#[test]
fn a_broken_document_keeps_no_other_out() {
    let before = [policy("a", "eu"), policy("b", "eu")];
    let wanted = [
        policy("a", "nowhere"),
        policy("b", "eea"),
        policy("c", "nowhere"),
    ];
    let settled = settle(&set(&before), &wanted).expect("they load");
    assert_eq!(settled.documents, [policy("a", "eu"), policy("b", "eea")]);
    let refused: Vec<&str> = settled.refused.keys().map(String::as_str).collect();
    assert_eq!(refused, ["egresspolicies/a", "egresspolicies/c"]);
    let why = &settled.refused["egresspolicies/a"];
    assert!(
        why.starts_with("egresspolicies/a:7:") && why.contains("nowhere"),
        "{why}"
    );
}

#[test]
fn nothing_in_force_goes_because_something_else_went() {
    let before = [region("partners", "CH"), policy("a", "partners")];
    let wanted = [policy("a", "partners"), policy("b", "nowhere")];
    let settled = settle(&set(&before), &wanted).expect("the region stays");
    assert_eq!(
        settled.documents,
        [policy("a", "partners"), region("partners", "CH")]
    );
    let refused: Vec<&str> = settled.refused.keys().map(String::as_str).collect();
    assert_eq!(refused, ["egresspolicies/b", "regions/partners"]);
    // With the policy, its region may go.
    let settled = settle(&set(&before), &[]).expect("nothing");
    assert!(settled.documents.is_empty() && settled.refused.is_empty());
}

#[test]
fn what_does_not_load_with_this_host_changes_nothing() {
    let pushed = Bundle {
        files: vec![BundleFile {
            path: "a.yaml".to_owned(),
            text: policy("a", "eu").file.text,
        }],
    };
    let wanted = [policy("a", "eu"), policy("b", "eu")];
    let settled = set(&wanted[..1]).settle(&wanted, &pushed, |bundle| load_with(&[], bundle));
    assert!(settled.is_err());
}

#[test]
fn what_is_pushed_here_has_its_name() {
    let pushed = Bundle {
        files: vec![BundleFile {
            path: "a.yaml".to_owned(),
            text: policy("a", "eu").file.text,
        }],
    };
    let settled = set(&[])
        .settle(&[policy("a", "eea")], &pushed, |bundle| {
            load_with(&[], bundle)
        })
        .expect("the pushed one stays");
    assert!(settled.documents.is_empty());
    assert!(settled.refused["egresspolicies/a"].contains("two policies are named `a`"));
}

#[test]
fn they_are_there_after_a_restart() {
    let state = tempfile::tempdir().expect("a directory");
    let set = ClusterSet::open(state.path()).expect("empty");
    set.write(&[policy("a", "eu")]).expect("written");
    let again = ClusterSet::open(state.path()).expect("one");
    assert_eq!(again.documents(), [policy("a", "eu")]);
    fs::write(state.path().join("cluster.json"), "[{").expect("written");
    let error = ClusterSet::open(state.path()).expect_err("damaged");
    assert!(error.to_string().contains("is damaged"), "{error:#}");
}

#[test]
fn policies_of_one_name_in_several_namespaces_stand_beside_each_other() {
    let wanted = [
        policy("a", "eu"),
        of_namespace("llm", "DE"),
        of_namespace("web", "XX"),
    ];
    let settled = settle(&set(&[]), &wanted).expect("they load");
    assert_eq!(settled.documents, wanted[..2]);
    let names: Vec<String> = settled
        .loaded
        .policies
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    assert_eq!(names, ["a", "llm/a"]);
    let refused: Vec<&str> = settled.refused.keys().map(String::as_str).collect();
    assert_eq!(refused, ["namespacedegresspolicies/web/a"]);
}

#[test]
fn what_namespaces_say_can_be_left_as_it_is() {
    let before = [policy("a", "eu"), of_namespace("llm", "DE")];
    let wanted = [
        policy("a", "eea"),
        of_namespace("llm", "FR"),
        of_namespace("web", "DE"),
    ];
    let mut set = set(&before);
    let without = set.without_news_of_namespaces(&wanted);
    assert_eq!(without, [policy("a", "eea"), of_namespace("llm", "DE")]);
    assert!(set.leave_namespaces_out() && !set.leave_namespaces_out());
    assert_eq!(set.documents(), [policy("a", "eu")]);
}
