"""The optimizers ``(w, dw, config=None) -> (next_w, config)``."""

from thinnet.course.optim import course_rule as _course_rule

sgd = _course_rule("sgd", "sgd", __name__)
sgd_momentum = _course_rule("sgd_momentum", "sgd_momentum", __name__)
rmsprop = _course_rule("rmsprop", "rmsprop", __name__)
adam = _course_rule("adam", "adam", __name__)
