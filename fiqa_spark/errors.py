"""What the user can mend: each of these ends a job with one line on stderr and exit code 2."""


class FiqaError(Exception):
    """Root of all errors whose message is meant for the user."""


class SettingsError(FiqaError):
    """Raised when a setting is unknown, missing or out of range."""


class InputError(FiqaError):
    """Raised when the image list or the features cannot be used as they are."""


class DestinationError(FiqaError):
    """Raised when the result cannot be written where it was asked for."""


class MachineError(FiqaError):
    """Raised when the machine lacks what the job needs, such as a Java of the right version."""
