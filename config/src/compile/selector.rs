//! Label selectors.
//!
//! Source: [labels and selectors](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Whether what has the labels that `label` tells satisfies `selector`. An operator that is not known selects nothing.
pub(crate) fn selects<'l>(
    selector: &LabelSelector,
    label: impl Fn(&str) -> Option<&'l str>,
) -> bool {
    let mut equal = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    equal.all(|(name, value)| label(name) == Some(value.as_str()))
        && expressions.all(|expression| {
            let value = label(&expression.key);
            let mut values = expression.values.iter().flatten();
            let listed = value.is_some_and(|value| values.any(|listed| listed == value));
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
