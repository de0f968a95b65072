"""Many runs side by side: bundles that can be shared, their checks, and the page over them."""
