"""A synthetic data set in every layout of CBIS-DDSM."""
