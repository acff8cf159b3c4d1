from . import data as data
from . import methods as methods
from . import metrics as metrics
from . import models as models
from . import nn as nn
from .attribution._attribute import attribute as attribute
from .core.attribution import Attribution as Attribution
from .core.attribution import Provenance as Provenance
from .core.batch import Batch as Batch
from .core.errors import PerdureError as PerdureError
from .core.metric import Score as Score
from .core.registry import DATASETS as DATASETS
from .core.registry import METHODS as METHODS
from .core.registry import METRICS as METRICS
from .core.registry import MODELS as MODELS
from .core.target import AtStep as AtStep
from .core.target import Logit as Logit
from .core.target import LogOdds as LogOdds
from .core.target import LogProbability as LogProbability
from .core.target import Margin as Margin
from .core.target import Probability as Probability
from .metrics._evaluate import evaluate as evaluate
from .models._adapted import Adapted as Adapted
from .models._token_model import TokenModel as TokenModel
from .report.show import show as show

__version__: str
