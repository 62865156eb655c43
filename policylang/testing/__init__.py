"""What projects outside of this one test their own parts with."""
