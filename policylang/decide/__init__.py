"""From firings to a decision: outcome, reasons, overrides, approvals, obligations, values."""
