"""Files that are written whole or not at all, nets and runs in them, and who may write."""
