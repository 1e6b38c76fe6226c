"""Several processes that train one net together over MPI; data, nets and steps know nothing about them."""
