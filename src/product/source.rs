//! The sources that the catalogue rests on: which file, which page, which issue, measured on what.

use crate::stack::Source;

macro_rules! sources {
    ($($name:ident = $tag:literal, $reference:literal;)+) => {
        $(pub(super) const $name: Source = Source { tag: $tag, reference: $reference };)+
    };
}

sources! {
    NF_SYSCTL = "nf-sysctl", "Linux Documentation/networking/nf_conntrack-sysctl.rst";
    NF_TCP = "nf-tcp", "Linux net/netfilter/nf_conntrack_proto_tcp.c, 6.x (NVIDIA/NV-Kernels @4ab1ff15d127)";
    NF_MEASURED = "nf-measured", "measured on Linux 6.18, nftables masquerade between three network namespaces";
    IPVS_TCP = "ipvs-tcp", "Linux net/netfilter/ipvs/ip_vs_proto_tcp.c";
    KUBE_ROUTER_521 = "kube-router-521", "cloudnativelabs/kube-router issue 521";
    K8S_84041 = "k8s-84041", "kubernetes/kubernetes issues 84041 and 80298";
    MOBY_31208 = "moby-31208", "moby/moby issues 31208, 37466 and 37822";
    MOBY_29655 = "moby-29655", "moby/moby issue 29655";
    PF_HELP = "pf-help", "OPNsense help of the firewall's advanced settings; pf.conf files that were published";
    ASA_GUIDE = "asa-guide", "Cisco ASA 9.1 configuration guide, connection settings";
    CISCO_FORUM = "cisco-forum", "a thread of the Cisco community";
    PANOS_KB = "panos-kb", "Palo Alto Networks knowledge base, session timeouts";
    PANOS_FORUM = "panos-forum", "a report of a user of PAN-OS";
    FORTIOS_CLI = "fortios-cli", "FortiOS CLI reference, session-ttl and refresh-direction";
    JUNOS = "junos", "Junos OS documentation, inactivity-timeout of applications and services";
    JUNOS_FORUM = "junos-forum", "a third-party page about predefined Junos applications";
    CHECKMATES = "checkmates", "a thread of Check Point CheckMates";
    ELB_NLB = "elb-nlb", "AWS documentation, Network Load Balancers: connection idle timeout";
    INGRESS_5695 = "ingress-nginx-5695", "kubernetes/ingress-nginx issue 5695; awsdocs pull request 10";
    VPC_NAT = "vpc-nat", "AWS documentation, comparison of NAT gateways and NAT instances";
    GWLB_API = "gwlb-api", "AWS API, Gateway Load Balancer listener attribute tcp.idle_timeout.seconds";
    EC2_API = "ec2-api", "AWS EC2 API, ConnectionTrackingSpecificationRequest";
    ELB_ALB = "elb-alb", "AWS documentation, Application and Classic Load Balancers: idle timeout";
    AZURE_LB = "azure-lb", "Microsoft azure-docs, Load Balancer: TCP reset and idle timeout";
    AZURE_NAT = "azure-nat", "Microsoft azure-docs, NAT Gateway: idle timeout timers";
    AZURE_FIREWALL = "azure-firewall", "Microsoft azure-docs, Azure Firewall FAQ";
    GCP_TROUBLE = "gcp-trouble", "Google Cloud, Compute Engine: troubleshooting of idle connections";
    GCP_NAT_API = "gcp-nat-api", "Google Cloud API, routers: tcpEstablishedIdleTimeoutSec and its like";
    GCP_REPORT = "gcp-report", "a report of a user of Cloud NAT";
    ALIYUN = "aliyun", "Alibaba Cloud help, Server Load Balancer: TCP listeners";
    OCI = "oci", "Oracle Cloud documentation and CLI, network load balancer and load balancer";
    IBM_BLOG = "ibm-blog", "IBM Cloud blog, VPC public gateway";
    TWILIO = "twilio", "Twilio Super SIM documentation";
    ENVOY = "envoy", "Envoy 1.39 documentation, FAQ on timeouts";
    HAPROXY_MEASURED = "haproxy-measured", "measured: HAProxy 2.6 of Debian 12 in tcp mode, timeouts of 2 to 4 s";
    BOUNDARY_3133 = "boundary-3133", "hashicorp/boundary issue 3133, and third-party pages";
    BELIEVED = "believed", "generally believed; no source was read";
}
