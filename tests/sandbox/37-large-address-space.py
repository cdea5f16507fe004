import numpy

from attack import tried

tried(numpy.arange(1000).reshape(10, 100).sum())
