"""Tables as people have them: raw columns of numbers and categories, and the matrix of numbers that they become.

`read` splits a frame or an array into `Columns`. `TableEncoder.learn` learns from those of the training rows, and the
encoder that it returns turns others like them into a dense matrix or, if that would be large, a sparse one::

    columns = read(X)                                          # X as it is given to fit
    encoder = TableEncoder.learn(columns, weights, knots=16, fewest=5)
    matrix = encoder.transform(columns)                        # (N, encoder.num_outputs)
    later = encoder.transform(encoder.read(X_new))             # reads each column as what it was in training
    columns[rows]                                              # some of the rows, such as those not held out
    encoder.columns, encoder.feature_names_out                 # what was learned

>>> import numpy as np
>>> X = np.array([[1.5, "red"], [None, "blue"], [2.5, "green"]], dtype=object)
>>> encoder = TableEncoder.learn(read(X), None, knots=None, fewest=1)
>>> encoder.feature_names_out
('column 0', 'column 0: missing', 'column 1=blue', 'column 1=green', 'column 1=red')
>>> encoder.transform(encoder.read(X))
array([[1.5, 0. , 0. , 0. , 1. ],
       [2. , 1. , 1. , 0. , 0. ],
       [2.5, 0. , 0. , 1. , 0. ]])
"""

from thinnet.sklearn.table.columns import Columns as Columns
from thinnet.sklearn.table.encoder import TableEncoder as TableEncoder
from thinnet.sklearn.table.reading import read as read

__all__ = ["Columns", "TableEncoder", "read"]
