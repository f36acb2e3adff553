use super::identity::Identity;
use super::secret::Secret;
use super::template::fill;
use pki::Access;

/// A Kong on Kubernetes that calls one upstream by mutual TLS. Names are those of Kubernetes, checked.
pub struct Kong {
    pub way: Way,
    /// Where Kong runs.
    pub namespace: String,
    pub ingress_class: String,
    /// The upstream's Service, its namespace, and the port of both Service and pods.
    pub service: String,
    pub service_namespace: String,
    pub port: u16,
    /// Name of the client certificate.
    pub client: String,
    pub plugins: Plugins,
}

/// Who presents the client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// mtls-policy selects it for each request, upstream-mtls presents it
    #[default]
    Policy,
    /// Kong alone presents one to the Service, whoever asks, by annotation
    Annotation,
}

/// Who may name the plugins in an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    /// `KongPlugin`: what is in the namespace of the upstream.
    OfNamespace,
    /// `KongClusterPlugin`: every namespace.
    OfCluster,
}

/// A file of a configuration. No `Debug`: one of them holds private keys.
pub struct File {
    pub name: &'static str,
    pub access: Access,
    pub content: String,
}

impl File {
    /// Whether this is for Kubernetes; else it is for Helm.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        self.name != HELM_VALUES
    }
}

impl Kong {
    /// All that has to be told, Secrets first: what else refers to them.
    #[must_use]
    pub fn files(&self, identity: &Identity) -> Vec<File> {
        let secrets = Secret::document(&self.secrets(identity));
        let secrets = File { name: "secrets.yaml", access: Access::Owner, content: secrets };
        let authorities = identity.authorities.len();
        [secrets].into_iter().chain(self.without_secrets(authorities)).collect()
    }

    /// The same but for private keys and certificates, of which there are so many authorities'.
    #[must_use]
    pub fn without_secrets(&self, authorities: usize) -> Vec<File> {
        let port = self.port.to_string();
        let [decides, acts] = self.plugin_names();
        let ca_secrets: Vec<_> = (0..authorities).map(|index| self.ca_secret(index)).collect();
        let values = [
            ("kong_ns", &*self.namespace),
            ("service", &self.service),
            ("service_ns", &self.service_namespace),
            ("port", &port),
            ("client", &self.client),
            ("class", &self.ingress_class),
            ("decides", &decides),
            ("acts", &acts),
            ("ca_secrets", &ca_secrets.join(",")),
            ("plugin_kind", self.plugins.kind()),
            ("plugin_place", &self.plugin_place()),
            ("why_plugin", self.way.why_plugin()),
        ];
        let templates = match self.way {
            Way::Policy => POLICY,
            Way::Annotation => ANNOTATION,
        };
        let file = |(name, template): &(&'static str, &str)| File {
            name,
            access: Access::Public,
            content: fill(template, &values),
        };
        templates.iter().map(file).collect()
    }

    fn secrets(&self, identity: &Identity) -> Vec<Secret> {
        let Identity { chain, key, authorities } = identity;
        let of_identity = |name: &str, namespace: &str| {
            Secret::of_identity(name, namespace, chain, key, &authorities.concat())
        };
        match self.way {
            Way::Policy => vec![of_identity("kong-upstream-mtls", &self.namespace)],
            Way::Annotation => {
                let namespace = &self.service_namespace;
                let authorities = authorities.iter().enumerate().map(|(index, pem)| {
                    Secret::of_authority(&self.ca_secret(index), namespace, &self.ingress_class, pem)
                });
                let client = of_identity(&format!("{}-cert", self.client), namespace);
                authorities.chain([client]).collect()
            }
        }
    }

    fn ca_secret(&self, index: usize) -> String {
        match index {
            0 => format!("{}-ca", self.service),
            more => format!("{}-ca-{}", self.service, more + 1),
        }
    }

    /// Of the plugin that decides who may call, and of the one that presents.
    fn plugin_names(&self) -> [String; 2] {
        let decides = match self.way {
            Way::Policy => "mtls-policy",
            Way::Annotation => "key-auth",
        };
        [decides, "upstream-mtls"].map(|plugin| format!("{}-{plugin}", self.service))
    }

    /// Whole lines below `metadata:`.
    fn plugin_place(&self) -> String {
        match self.plugins {
            Plugins::OfNamespace => format!("  namespace: {}\n", self.service_namespace),
            Plugins::OfCluster => format!(
                "  annotations:\n    # Without it Kong Ingress Controller passes over what belongs to no namespace.\n    \
                 kubernetes.io/ingress.class: {}\n",
                self.ingress_class
            ),
        }
    }
}

impl Way {
    fn why_plugin(self) -> &'static str {
        match self {
            Self::Policy => "Decides who is asking, and as whom the upstream is called.",
            Self::Annotation => "Who may call.",
        }
    }
}

impl Plugins {
    fn kind(self) -> &'static str {
        match self {
            Self::OfNamespace => "KongPlugin",
            Self::OfCluster => "KongClusterPlugin",
        }
    }
}

const HELM_VALUES: &str = "helm-values.yaml";

const POLICY: &[(&str, &str)] = &[
    ("plugins.yaml", include_str!("templates/plugins-policy.yaml")),
    ("service.yaml", include_str!("templates/service-policy.yaml")),
    ("ingress.yaml", include_str!("templates/ingress.yaml")),
    ("network-policies.yaml", include_str!("templates/network-policies.yaml")),
    (HELM_VALUES, include_str!("templates/helm-values.yaml")),
];

/// No Helm values: an unchanged Kong does.
const ANNOTATION: &[(&str, &str)] = &[
    ("plugins.yaml", include_str!("templates/plugins-annotation.yaml")),
    ("service.yaml", include_str!("templates/service-annotation.yaml")),
    ("ingress.yaml", include_str!("templates/ingress.yaml")),
    ("network-policies.yaml", include_str!("templates/network-policies.yaml")),
];
