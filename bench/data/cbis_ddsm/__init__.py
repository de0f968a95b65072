"""CBIS-DDSM as it lies on disks: its case tables, its images, and which belongs to which."""
