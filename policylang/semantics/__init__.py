"""From syntax trees to `Program`: names, types, safety, strata, lints."""
