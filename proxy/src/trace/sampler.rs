//! Which requests are traced.
//!
//! Source: [OpenTelemetry's samplers](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration).

/// Decides for each request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampler {
    /// The part of traces that begin here, from 0 to 1.
    ratio: f64,
    /// Whether a client's word on its own trace counts.
    by_parent: bool,
}

impl Default for Sampler {
    /// All but what clients say that they do not trace.
    fn default() -> Self {
        Self {
            ratio: 1.0,
            by_parent: true,
        }
    }
}

impl Sampler {
    /// By the names of the standard; none where it knows no such name, or the argument is no part of all.
    pub(super) fn named(name: &str, argument: Option<&str>) -> Option<Self> {
        let (by_parent, name) = match name.strip_prefix("parentbased_") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let ratio = match name {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => argument.map_or(Some(1.0), |it| it.trim().parse().ok())?,
            _ => return None,
        };
        (0.0..=1.0)
            .contains(&ratio)
            .then_some(Self { ratio, by_parent })
    }

    /// Whether spans are made of a request of this trace.
    pub(super) fn samples(self, trace: &[u8; 16], parent: Option<bool>) -> bool {
        match parent.filter(|_| self.by_parent) {
            Some(sampled) => sampled,
            // As whoever else samples by the same ratio does: by the id's last bytes, which are random.
            None => {
                let [.., a, b, c, d, e, f, g, h] = *trace;
                let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11;
                (number as f64) < self.ratio * (1_u64 << 53) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parents_word_counts_where_the_sampler_says_so() {
        let trace = [255; 16];
        for (name, argument, none, yes, no) in [
            ("always_on", None, true, true, true),
            ("always_off", None, false, false, false),
            ("parentbased_always_on", None, true, true, false),
            ("parentbased_always_off", None, false, true, false),
            ("traceidratio", Some("0.5"), false, false, false),
            ("traceidratio", Some("1"), true, true, true),
            ("parentbased_traceidratio", Some("0.5"), false, true, false),
        ] {
            let sampler = Sampler::named(name, argument).unwrap();
            let decided = [None, Some(true), Some(false)].map(|it| sampler.samples(&trace, it));
            assert_eq!(decided, [none, yes, no], "{name}");
        }
        let half = Sampler::named("traceidratio", Some("0.5")).unwrap();
        assert!(half.samples(&[1; 16], None));
    }

    #[test]
    fn what_is_no_sampler_is_none() {
        for (name, argument) in [
            ("sometimes", None),
            ("traceidratio", Some("2")),
            ("traceidratio", Some("half")),
            ("traceidratio", Some("NaN")),
        ] {
            assert_eq!(Sampler::named(name, argument), None, "{name}");
        }
    }
}
