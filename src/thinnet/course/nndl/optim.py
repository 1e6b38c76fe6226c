"""The optimizers ``(w, dw, config=None) -> (next_w, config)``; Adam's moments are called v and a."""

from thinnet.course.optim import course_rule as _course_rule

sgd = _course_rule("sgd", "sgd", __name__)
sgd_momentum = _course_rule("sgd_momentum", "sgd_momentum", __name__)
sgd_nesterov_momentum = _course_rule("sgd_nesterov_momentum", "nesterov", __name__)
rmsprop = _course_rule("rmsprop", "rmsprop", __name__, cache="a")
adam = _course_rule("adam", "adam", __name__, m="v", v="a")
