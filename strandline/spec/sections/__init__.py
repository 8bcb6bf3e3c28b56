"""The sections of a stream document, one module each: references and meaning checked, frozen values built."""
