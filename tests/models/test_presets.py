import pytest

from perdure.core.errors import SettingError, UnknownNameError
from perdure.models._presets import PRESETS, model_config
from perdure.models.recurrent import Recurrent


def test_a_name_is_its_preset():
    assert {name: model_config(name) for name in PRESETS} == PRESETS
    assert model_config("recurrent") == Recurrent()


def test_settings_follow_the_name():
    config = model_config("lstm_self_attention:hidden_size=5,layers=2,input_dropout=0.1")
    assert config == Recurrent(hidden_size=5, layers=2, pooling="self_attention", input_dropout=0.1)
    assert model_config("recurrent:cell=gru,position=learned,input_attention=matrix") == Recurrent(
        cell="gru", position="learned", input_attention="matrix"
    )


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'lstm'"):
        model_config("lstmm:hidden_size=5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lstm:hiden_size=5", "did you mean 'hidden_size'"),
        ("lstm:cell=transformer", "cell='transformer'"),
        ("lstm:hidden_size=wide", "hidden_size='wide'"),
        ("lstm:hidden_size=0", "hidden_size is 0"),
        ("lstm:input_dropout=1", "input_dropout is 1"),
        ("lstm:position=learned", "no input-cell attention"),
    ],
)
def test_a_wrong_setting_is_named(text, message):
    with pytest.raises(SettingError, match=message):
        model_config(text)
