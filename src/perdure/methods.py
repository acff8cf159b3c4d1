"""Attribution methods by their names in the field, such as `perdure.methods.InputIBA`; imported when first used."""

from perdure.attribution import __all__ as __all__
from perdure.attribution import __dir__ as __dir__
from perdure.attribution import __getattr__ as __getattr__
