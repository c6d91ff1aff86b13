//! Tokens as money.

use dragoman_config::PriceItem;
use dragoman_dialects::form::Usage;

/// What so many tokens cost, in millionths of a unit of money, rounded up. Prices are per million tokens.
#[must_use]
pub fn cost(price: &PriceItem, usage: &Usage) -> u64 {
    let cached = usage.cached_input.unwrap_or_default().min(usage.input);
    let parts = [
        (usage.input - cached, price.input),
        (cached, price.cached_input),
        (usage.output, price.output),
    ];
    let sum = parts
        .into_iter()
        .map(|(tokens, each)| u128::from(tokens) * u128::from(each))
        .fold(0, u128::saturating_add);
    u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_has_its_price_and_the_sum_is_rounded_up() {
        // 2.50, 0.25 and 10.00 a million.
        let price = PriceItem {
            input: 2_500_000,
            cached_input: 250_000,
            output: 10_000_000,
        };
        let usage = |input, cached, output| Usage {
            input,
            output,
            cached_input: Some(cached),
            ..Usage::default()
        };
        assert_eq!(cost(&price, &usage(1_000_000, 0, 0)), 2_500_000);
        assert_eq!(cost(&price, &usage(1000, 400, 100)), 1500 + 100 + 1000);
        assert_eq!(cost(&price, &usage(1, 0, 0)), 3);
        assert_eq!(cost(&price, &usage(1, 1, 0)), 1);
        assert_eq!(cost(&price, &usage(3, 9, 0)), 1);
        assert_eq!(cost(&PriceItem::default(), &usage(1000, 0, 1000)), 0);
        let most = PriceItem {
            input: u64::MAX,
            cached_input: u64::MAX,
            output: u64::MAX,
        };
        assert_eq!(cost(&most, &usage(u64::MAX, 0, u64::MAX)), u64::MAX);
    }
}
