"""The optimizers ``(w, dw, config=None) -> (next_w, config)``."""

from thinnet.course.optim import course_rule as _course_rule

sgd = _course_rule("sgd", "sgd")
sgd_momentum = _course_rule("sgd_momentum", "sgd_momentum")
rmsprop = _course_rule("rmsprop", "rmsprop")
adam = _course_rule("adam", "adam")
