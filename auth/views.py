"""The account pages: joining, signing in, and everything under /me/ that concerns the account itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel import Locale
from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, session
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from auth import flows, forms, mailer, members, policy, queries, tokens
from auth.doors import current_actor, needs, public, viewer, who_is_there
from auth.models import Member
from core import notifications as notes
from core import parked, switches
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid, NotFound, TooMany
from core.vocabulary import Action
from core.web import csrf, drop_parked, parked_form, settings

blueprint = Blueprint("auth", __name__)

# What a page answers: a response, or text with a status.
Answer = Any


def page(name: str, status: int = 200, **values: Any) -> Answer:
    """A page of this room. None of them is for search engines or for a shared cache."""
    answer = Response(render_template(f"auth/{name}.html", **values), status, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def go(path: str) -> Answer:
    return redirect(path, 303)


def me(s: Session) -> Member:
    """The signed-in member's row."""
    return s.get_one(Member, current_actor().id)


def address() -> str:
    return request.remote_addr or "unknown"


def wait_words(error: TooMany) -> str:
    """When to try again, in words."""
    minutes = max(1, -(-int(str(error.extra.get("retry_after", 60))) // 60))
    return ngettext("Try again in %(num)s minute.", "Try again in %(num)s minutes.", minutes)


# --- Joining -----------------------------------------------------------------------------------------------------


@blueprint.get("/register")
@public
def register() -> Answer:
    if viewer().signed_in:
        return redirect("/")
    if is_closed_to_new():
        return page("register_closed")
    return page("register", **_register_values({}))


@blueprint.post("/register")
@public
def send_register() -> Answer:
    today, now, form = utc_now().date(), utc_now(), request.form
    if is_closed_to_new():
        return page("register_closed", 403)
    try:
        # The age comes first: nothing that an under-age visitor typed is looked at any further.
        year = forms.read_birth_year(form, today=today)
        passed = form.get("birthday_passed")
        age = members.check_age(year, birthday_passed=passed == "y", min_age=settings().min_age, today=today)
        if age.too_young or (age.must_confirm and passed == "n"):
            return _too_young(now)
        flows.throttle(flows.MAILS_BY_ADDRESS, "register", address())
        wanted = forms.read_registration(db.session(), form, today=today)
        if age.must_confirm:
            field = "birthday_passed"
            message = _("Please tell us whether your birthday this year has passed.")
            raise Invalid("birthday", message, errors=[(field, message)])
    except Invalid as error:
        asks_birthday = any(name == "birthday_passed" for name, _message in error.errors) or "birthday_passed" in form
        values = _register_values(forms.by_field(error)) | {"asks_birthday": asks_birthday}
        return page("register", 422, **values)
    except TooMany as error:
        return page(
            "register",
            429,
            **_register_values({"": _("Too many accounts were made from here.") + " " + wait_words(error)}),
        )
    flows.count(flows.MAILS_BY_ADDRESS, "register", address())
    # Made for a known address too, so that the answer takes equally long.
    password_hash = flows.hash_password(wanted.password)
    try:
        with unit_of_work() as s:
            _make_account(s, wanted, password_hash, now)
    except Invalid as error:
        return page("register", 422, **_register_values(forms.by_field(error)))
    return go("/register/sent")


def _make_account(s: Session, wanted: forms.Registration, password_hash: str, now: datetime) -> None:
    """A new account, or, for an address that has one, a mail that says so. The visitor cannot tell which."""
    known = members.find_by_email(s, wanted.email)
    if known is not None:
        members.reserve_handle(s, wanted.handle, now=now)
        if not _too_many_mails(wanted.email):
            mailer.put(s, "already" if known.confirmed_at else "confirm", member_id=known.id, now=now)
        return
    member = members.create_member(
        s,
        handle=wanted.handle,
        email=wanted.email,
        password_hash=password_hash,
        birth_year=wanted.birth_year,
        now=now,
    )
    version, text, _html = consent_text(s, now)
    members.give_consent(s, member.id, purpose=members.CONSENT_HEALTH, version=version, text=text, now=now)
    if session.get("parked"):
        parked.adopt(s, session["parked"], member_id=member.id, now=now)
    flows.count(flows.MAILS_TO_ONE, wanted.email)
    mailer.put(s, "confirm", member_id=member.id, now=now)


def _too_many_mails(email: str) -> bool:
    """Whether strangers caused enough mail to this address for now. Counts this one."""
    try:
        flows.throttle(flows.MAILS_TO_ONE, email)
    except TooMany:
        return True
    flows.count(flows.MAILS_TO_ONE, email)
    return False


def _too_young(now: datetime) -> Answer:
    """A kind page with help lines. Nothing is stored, and a text kept for after signing in is thrown away."""
    if session.get("parked"):
        with unit_of_work() as s:
            drop_parked(s, None)
    lines = current_app.extensions.get("boardwell.help_lines")
    help_lines = lines(db.session(), settings().country, now.date()) if lines else None
    return page("too_young", 403, min_age=settings().min_age, help_lines=help_lines)


def is_closed_to_new() -> bool:
    """The panic switch closes the door for new members."""
    return settings().panic or switches.is_on(db.session(), switches.PANIC)


def consent_text(s: Session, now: datetime) -> tuple[int, str, str]:
    """(version, text, HTML) of what people agree to. The content room hands it over through wsgi.

    Version 0 is the sentence built in here, for a site whose house texts were never loaded.
    """
    find = current_app.extensions.get("boardwell.page_text")
    try:
        found = find(s, members.CONSENT_HEALTH, now) if find else None
    except NotFound:
        found = None
    if found is None:
        return 0, _("What I write here about my health can be read by anyone on the internet."), ""
    return found.version, found.body, found.html


def help_for_kept(kept: parked.ParkedForm | None) -> tuple[Any, ...]:
    """Help lines beside a kept text that speaks of a crisis. The moderation room hands it over through wsgi."""
    find = current_app.extensions.get("boardwell.help_before_sending")
    if kept is None or find is None:
        return ()
    text = "\n".join(value for name, value in kept.fields if name in ("title", "body"))
    country = who_is_there().country or settings().country
    return tuple(find(db.session(), text, country=country, now=utc_now()))


def _register_values(errors: Mapping[str, str]) -> dict[str, Any]:
    kept = parked_form(None)
    _version, text, html = consent_text(db.session(), utc_now())
    return {
        "form": request.form,
        "errors": errors,
        "kept": kept is not None,
        "guidance": help_for_kept(kept),
        "consent_text": text,
        "consent_html": html,
        "min_age": settings().min_age,
        "asks_birthday": False,
    }


@blueprint.get("/register/sent")
@public
def register_sent() -> Answer:
    kept = parked_form(None)
    return page("register_sent", kept=kept is not None, guidance=help_for_kept(kept))


@blueprint.get("/confirm")
@public
def ask_confirm() -> Answer:
    return page("confirm_again", form=request.form, errors={})


@blueprint.post("/confirm")
@public
def send_confirm() -> Answer:
    """Send the link again. The answer is the same for every address."""
    try:
        email = forms.read_email(request.form.get("email", ""))
        flows.throttle(flows.MAILS_BY_ADDRESS, "confirm", address())
    except Invalid as error:
        return page("confirm_again", 422, form=request.form, errors=forms.by_field(error))
    except TooMany as error:
        return page("confirm_again", 429, form=request.form, errors={"email": wait_words(error)})
    flows.count(flows.MAILS_BY_ADDRESS, "confirm", address())
    with unit_of_work() as s:
        known = members.find_by_email(s, email)
        if known is not None and not _too_many_mails(email):
            mailer.put(s, "already" if known.confirmed_at else "confirm", member_id=known.id, now=utc_now())
    return go("/register/sent")


@blueprint.get("/confirm/<token>")
@public
def confirm(token: str) -> Answer:
    """The page behind the mail's link: nothing changes until the button is pressed, so no scanner can confirm."""
    try:
        member = flows.member_to_confirm(token)
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/confirm")
    return page("confirm", member=member)


@blueprint.post("/confirm/<token>")
@public
def press_confirm(token: str) -> Answer:
    try:
        with unit_of_work():
            member = flows.member_to_confirm(token)
            member.confirmed_at = member.confirmed_at or utc_now()
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/confirm")
    flash(_("Your e-mail address is confirmed. You can sign in now."), "success")
    return go("/login")


# --- Signing in and out ------------------------------------------------------------------------------------------


@blueprint.get("/login")
@public
def login() -> Answer:
    if viewer().signed_in:
        return redirect(forms.local_path(request.args.get("next")) or "/")
    return page("login", **_login_values({}))


def _login_values(errors: Mapping[str, str]) -> dict[str, Any]:
    kept = parked_form(None)
    next_path = forms.local_path(request.values.get("next")) or ""
    values = {"form": request.form, "errors": errors, "kept": kept is not None, "next": next_path}
    return values | {"guidance": help_for_kept(kept)}


@blueprint.post("/login")
@public
def send_login() -> Answer:
    """One answer for a wrong password, an unknown address and an unconfirmed one with a wrong password."""
    email, password = members.fold_email(request.form.get("email", "")), request.form.get("password", "")
    keep, next_path = request.form.get("keep") == "y", forms.local_path(request.form.get("next")) or ""
    try:
        flows.throttle(flows.BY_ACCOUNT, "login", email)
        flows.throttle(flows.BY_ADDRESS, "login", address())
    except TooMany as error:
        what = _("There were too many tries with this address or from this place.")
        return page("login", 429, **_login_values({"": f"{what} {wait_words(error)}"}))
    with unit_of_work() as s:
        member = members.find_by_email(s, email)
        if not flows.is_password(member, password) or member is None or not member.active:
            flows.count(flows.BY_ACCOUNT, "login", email)
            flows.count(flows.BY_ADDRESS, "login", address())
            wrong = _("The e-mail address and the password do not belong together. Please look at both again.")
            return page("login", 422, **_login_values({"email": wrong}))
        if member.confirmed_at is None:
            return page("login", 422, unconfirmed=True, **_login_values({}))
        flows.forgive(flows.BY_ACCOUNT, "login", email)
        if member.tf_totp_secret is not None:
            flows.begin_second_step(member, keep=keep, next_path=next_path)
            return go("/login/code")
        flows.sign_in(s, member, keep=keep)
    return go(_after_sign_in(next_path))


def _after_sign_in(next_path: str) -> str:
    """First a text that waits to be sent, then staff without a second step, then where the person was going."""
    actor = current_actor()
    if policy.is_suspended(actor):
        # Nothing can be sent; what was decided, and how to object to it, stands there.
        return next_path or "/me/decisions"
    if parked_form(actor.id) is not None:
        return "/resume"
    if actor.is_staff and not actor.has_second_factor:
        return "/me/two-step"
    return next_path or "/"


@blueprint.get("/login/code")
@public
def login_code() -> Answer:
    if flows.second_step() is None:
        return redirect("/login")
    return page("login_code", errors={})


@blueprint.post("/login/code")
@public
def send_login_code() -> Answer:
    """The code of the app, or a recovery code, which is then used up."""
    half = flows.second_step()
    if half is None:
        flash(_("That took too long. Please begin again."), "warning")
        return go("/login")
    code = request.form.get("code", "")
    try:
        flows.throttle(flows.BY_ACCOUNT, "code", half.uniquifier)
    except TooMany as error:
        what = _("There were too many wrong codes.")
        return page("login_code", 429, errors={"code": f"{what} {wait_words(error)}"})
    with unit_of_work() as s:
        member = members.find_by_uniquifier(s, half.uniquifier)
        if member is None or member.tf_totp_secret is None:
            return go("/login")
        by_app = flows.is_totp(member, member.tf_totp_secret, code)
        if not by_app and not flows.spend_recovery_code(member, code):
            flows.count(flows.BY_ACCOUNT, "code", half.uniquifier)
            wrong = _("This code is not right, or was used already. Codes change every half minute.")
            return page("login_code", 422, errors={"code": wrong})
        if not by_app:
            left = len(member.mf_recovery_codes or [])
            flash(ngettext("%(num)s recovery code is left.", "%(num)s recovery codes are left.", left), "warning")
        flows.forgive(flows.BY_ACCOUNT, "code", half.uniquifier)
        flows.sign_in(s, member, keep=half.keep)
    return go(_after_sign_in(half.next))


@blueprint.post("/logout")
@public
def logout() -> Answer:
    member_id = current_actor().id
    if member_id is not None:
        with unit_of_work() as s:
            flows.sign_out(s, member_id)
        flash(_("You are signed out."), "success")
    return go("/")


# --- A text that waited for its writer ---------------------------------------------------------------------------


@blueprint.get("/resume")
@needs(Action.MANAGE_OWN_ACCOUNT)
def resume() -> Answer:
    kept = parked_form(current_actor().id)
    if kept is None:
        return redirect("/")
    sent = [(name, value) for name, value in kept.fields if name != "intent"]
    if any(name == "intent" for name, _value in kept.fields):
        sent.append(("intent", "send"))
    shown = [(name, value) for name, value in sent if name in ("title", "body", "note") and value.strip()]
    can_edit, guidance = _has_page(kept.path), help_for_kept(kept)
    return page("resume", path=kept.path, sent=sent, shown=shown, can_edit=can_edit, guidance=guidance)


def _has_page(path: str) -> bool:
    """Whether there is a page under this path, so that it can be opened for editing."""
    try:
        current_app.url_map.bind("").match(path, "GET")
    except HTTPException:
        return False
    return True


@blueprint.post("/resume/drop")
@needs(Action.MANAGE_OWN_ACCOUNT)
def drop_resumed() -> Answer:
    with unit_of_work() as s:
        drop_parked(s, current_actor().id)
    flash(_("The text was thrown away."), "info")
    return go("/")


# --- A forgotten password ----------------------------------------------------------------------------------------


@blueprint.get("/reset")
@public
def reset() -> Answer:
    return page("reset", form=request.form, errors={})


@blueprint.post("/reset")
@public
def send_reset() -> Answer:
    """The same answer, and the same row in the outbox, for every address; the mail tells the truth."""
    try:
        email = forms.read_email(request.form.get("email", ""))
        flows.throttle(flows.MAILS_BY_ADDRESS, "reset", address())
    except Invalid as error:
        return page("reset", 422, form=request.form, errors=forms.by_field(error))
    except TooMany as error:
        return page("reset", 429, form=request.form, errors={"email": wait_words(error)})
    flows.count(flows.MAILS_BY_ADDRESS, "reset", address())
    if not _too_many_mails(email):
        with unit_of_work() as s:
            mailer.put(s, "reset", to=email, now=utc_now())
    return go("/reset/sent")


@blueprint.get("/reset/sent")
@public
def reset_sent() -> Answer:
    return page("reset_sent")


@blueprint.get("/reset/<token>")
@public
def choose_password(token: str) -> Answer:
    try:
        member = flows.member_to_reset(token)
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/reset")
    return page("reset_password", member=member, errors={})


@blueprint.post("/reset/<token>")
@public
def send_new_password(token: str) -> Answer:
    """Whoever reads the mail owns the account: the address counts as confirmed, all else is signed out."""
    try:
        with unit_of_work() as s:
            member = flows.member_to_reset(token)
            password = forms.read_new_password(request.form, about=(member.handle, member.email.split("@")[0]))
            flows.set_password(member, password)
            member.confirmed_at = member.confirmed_at or utc_now()
            members.end_sessions(s, member.id, now=utc_now())
            tokens.revoke(s, member.id, None, now=utc_now())
            mailer.put(s, "password_changed", member_id=member.id, now=utc_now())
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/reset")
    except Invalid as error:
        return page("reset_password", 422, member=flows.member_to_reset(token), errors=forms.by_field(error))
    flows.forgive(flows.BY_ACCOUNT, "login", member.email)
    flash(_("Your new password is set. Every device was signed out. Please sign in."), "success")
    return go("/login")


# --- My account --------------------------------------------------------------------------------------------------


def check_own_password(s: Session, member: Member) -> None:
    """Sensitive changes ask for the password again; wrong tries count as sign-in tries."""
    flows.throttle(flows.BY_ACCOUNT, "login", member.email)
    if not flows.is_password(member, request.form.get("current_password", "")):
        flows.count(flows.BY_ACCOUNT, "login", member.email)
        message = _("This is not your present password.")
        raise Invalid("wrong-password", message, errors=[("current_password", message)])


def refused(error: Invalid | TooMany | Conflict) -> tuple[int, dict[str, str]]:
    """(status, errors by field) with which a form comes back."""
    if isinstance(error, TooMany):
        return 429, {"": _("There were too many tries.") + " " + wait_words(error)}
    if isinstance(error, Invalid):
        return 422, forms.by_field(error)
    return 409, {"": error.detail}


@blueprint.get("/me/")
@needs(Action.MANAGE_OWN_ACCOUNT)
def overview() -> Answer:
    member = me(db.session())
    return page("overview", member=member, countries=_countries(), unread=viewer().unread_count)


def _countries() -> list[tuple[str, str]]:
    """(code, name) of every country in the reader's language; the empty one for "not said"."""
    names = (get_locale() or Locale("en")).territories
    found = sorted(((c, n) for c, n in names.items() if len(c) == 2 and c.isalpha() and c != "ZZ"), key=lambda p: p[1])
    return [("", _("Not said")), *found]


@blueprint.post("/me/country")
@needs(Action.MANAGE_OWN_ACCOUNT)
def set_country() -> Answer:
    code = request.form.get("country", "")
    if code not in dict(_countries()):
        raise Invalid("no-such-country", _("Choose a country from the list."), errors=[("country", "unknown")])
    with unit_of_work() as s:
        me(s).country = code or None
    flash(_("Saved. Help lines and the emergency number follow this country."), "success")
    return go("/me/")


@blueprint.get("/me/password")
@needs(Action.MANAGE_OWN_ACCOUNT)
def password() -> Answer:
    return page("password", errors={})


@blueprint.post("/me/password")
@needs(Action.MANAGE_OWN_ACCOUNT)
def send_password() -> Answer:
    try:
        with unit_of_work() as s:
            member = me(s)
            check_own_password(s, member)
            chosen = forms.read_new_password(request.form, about=(member.handle, member.email.split("@")[0]))
            flows.set_password(member, chosen)
            members.end_sessions(s, member.id, now=utc_now())
            flows.sign_in(s, member, keep=session.permanent)
            mailer.put(s, "password_changed", member_id=member.id, now=utc_now())
    except (Invalid, TooMany) as error:
        status, errors = refused(error)
        return page("password", status, errors=errors)
    flash(_("Your password is changed. Your other devices were signed out."), "success")
    return go("/me/")


@blueprint.get("/me/email")
@needs(Action.MANAGE_OWN_ACCOUNT)
def email() -> Answer:
    return page("email", member=me(db.session()), form=request.form, errors={})


@blueprint.post("/me/email")
@needs(Action.MANAGE_OWN_ACCOUNT)
def send_email() -> Answer:
    """The new address must answer first. The page says the same for an address that another account uses."""
    try:
        with unit_of_work() as s:
            member = me(s)
            wanted = forms.read_email(request.form.get("email", ""))
            check_own_password(s, member)
            flows.throttle(flows.MAILS_TO_ONE, wanted)
            flows.count(flows.MAILS_TO_ONE, wanted)
            taken = members.find_by_email(s, wanted) is not None
            mail = "change_email_taken" if taken else "change_email"
            mailer.put(s, mail, member_id=member.id, to=wanted, now=utc_now())
    except (Invalid, TooMany) as error:
        status, errors = refused(error)
        return page("email", status, member=me(db.session()), form=request.form, errors=errors)
    flash(
        _("We sent a mail to the new address. Open the link in it, and the new address is used from then on."), "info"
    )
    return go("/me/")


@blueprint.get("/email/<token>")
@public
def new_email(token: str) -> Answer:
    try:
        member, wanted = flows.email_to_change(token)
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/me/email")
    return page("email_confirm", member=member, email=wanted)


@blueprint.post("/email/<token>")
@public
def press_new_email(token: str) -> Answer:
    """The new address is used from now on, and the old one is told."""
    try:
        with unit_of_work() as s:
            member, wanted = flows.email_to_change(token)
            if members.find_by_email(s, wanted) is not None:
                raise NotFound("email-known", _("This address belongs to another account by now."))
            mailer.put(s, "email_changed", member_id=member.id, to=member.email, now=utc_now())
            member.email = wanted
    except NotFound as error:
        return page("link_too_old", 404, detail=error.detail, again="/me/email")
    flash(_("Your new e-mail address is in use."), "success")
    return go("/me/")


# --- Two-step sign-in --------------------------------------------------------------------------------------------


@blueprint.get("/me/two-step")
@needs(Action.MANAGE_OWN_ACCOUNT)
def two_step() -> Answer:
    return _two_step_page(200, {})


def _two_step_page(status: int, errors: Mapping[str, str]) -> Answer:
    member, actor = me(db.session()), current_actor()
    if member.tf_totp_secret is not None:
        left = len(member.mf_recovery_codes or [])
        return page("two_step_on", status, errors=errors, codes_left=left, is_staff=actor.is_staff)
    # Kept in the signed session, encrypted, until a code from the app proves that it arrived there.
    if "totp_setup" not in session:
        session["totp_setup"] = flows.new_totp_secret()
    secret = session["totp_setup"]
    return page(
        "two_step_set_up",
        status,
        errors=errors,
        key=flows.totp_key(secret),
        picture=flows.totp_picture(secret, member.handle),
        is_staff=actor.is_staff,
    )


@blueprint.post("/me/two-step")
@needs(Action.MANAGE_OWN_ACCOUNT)
def turn_on_two_step() -> Answer:
    """A right code turns it on; the recovery codes are shown once, in this very answer."""
    secret = session.get("totp_setup")
    if secret is None:
        return go("/me/two-step")
    try:
        with unit_of_work() as s:
            member = me(s)
            check_own_password(s, member)
            if member.tf_totp_secret is not None:
                raise Conflict("already-on", _("Two-step sign-in is on already."))
            if not flows.is_totp(member, secret, request.form.get("code", "")):
                message = _("This code is not right. Look at the app again: codes change every half minute.")
                raise Invalid("wrong-code", message, errors=[("code", message)])
            codes = flows.turn_on_second_step(member, secret)
            mailer.put(s, "two_step_changed", member_id=member.id, change="on", now=utc_now())
    except (Invalid, TooMany, Conflict) as error:
        return _two_step_page(*refused(error))
    session.pop("totp_setup", None)
    return page("recovery_codes", codes=codes, is_staff=current_actor().is_staff)


@blueprint.post("/me/two-step/codes")
@needs(Action.MANAGE_OWN_ACCOUNT)
def renew_codes() -> Answer:
    try:
        with unit_of_work() as s:
            member = me(s)
            check_own_password(s, member)
            if member.tf_totp_secret is None:
                return go("/me/two-step")
            codes = flows.new_recovery_codes(member)
            mailer.put(s, "two_step_changed", member_id=member.id, change="codes", now=utc_now())
    except (Invalid, TooMany) as error:
        return _two_step_page(*refused(error))
    return page("recovery_codes", codes=codes, is_staff=current_actor().is_staff)


@blueprint.post("/me/two-step/off")
@needs(Action.MANAGE_OWN_ACCOUNT)
def turn_off_two_step() -> Answer:
    try:
        with unit_of_work() as s:
            member = me(s)
            check_own_password(s, member)
            flows.turn_off_second_step(member)
            mailer.put(s, "two_step_changed", member_id=member.id, change="off", now=utc_now())
    except (Invalid, TooMany) as error:
        return _two_step_page(*refused(error))
    flash(_("Two-step sign-in is off."), "info")
    return go("/me/")


# --- Signed-in devices -------------------------------------------------------------------------------------------


@blueprint.get("/me/sessions")
@needs(Action.MANAGE_OWN_ACCOUNT)
def sessions() -> Answer:
    actor = current_actor()
    rows = members.sessions(db.session(), actor.id or 0, this=session.get("sid", ""), now=utc_now())
    return page("sessions", rows=rows)


@blueprint.post("/me/sessions")
@needs(Action.MANAGE_OWN_ACCOUNT)
def end_sessions() -> Answer:
    """End one by its number, or all but this one."""
    number = request.form.get("session", "")
    with unit_of_work() as s:
        member_id = current_actor().id or 0
        if number.isascii() and number.isdigit() and len(number) < 10:
            ended = members.end_sessions(s, member_id, session_id=int(number), now=utc_now())
        else:
            ended = members.end_sessions(s, member_id, but=session.get("sid", ""), now=utc_now())
    flash(ngettext("%(num)s device was signed out.", "%(num)s devices were signed out.", ended), "success")
    return go("/me/sessions")


# --- Notifications -----------------------------------------------------------------------------------------------


@blueprint.get("/me/notifications")
@needs(Action.MANAGE_OWN_ACCOUNT)
def notifications() -> Answer:
    actor = current_actor()
    found = queries.notifications(db.session(), actor.id or 0, after=request.args.get("after"), limit=20)
    return page("notifications", found=found, wants_mail=me(db.session()).wants_mail)


@blueprint.post("/me/notifications")
@needs(Action.MANAGE_OWN_ACCOUNT)
def read_notifications() -> Answer:
    with unit_of_work() as s:
        notes.mark_read(s, current_actor().id or 0, now=utc_now())
    return go("/me/notifications")


@blueprint.get("/me/notifications/<int:number>")
@needs(Action.READ_OWN_RECORD)
def open_notification(number: int) -> Answer:
    """Where the mail's link leads: on to the page concerned. The read mark is the one write of a GET."""
    member_id = current_actor().id or 0
    row = queries.notification(db.session(), member_id, number)
    if row.read_at is None:
        with unit_of_work() as s:
            notes.mark_read(s, member_id, ids=[row.id], now=utc_now())
    return redirect(forms.local_path(row.url) or "/me/notifications")


@blueprint.get("/me/mail")
@needs(Action.MANAGE_OWN_ACCOUNT)
def mail() -> Answer:
    member = me(db.session())
    return page("mail", wants_mail=member.wants_mail, email=member.email)


@blueprint.post("/me/mail")
@needs(Action.MANAGE_OWN_ACCOUNT)
def switch_mail() -> Answer:
    wants = request.form.get("wants_mail") == "y"
    with unit_of_work() as s:
        me(s).wants_mail = wants
    flash(_("We write to you again when something happens.") if wants else _("No more such mails."), "success")
    return go("/me/mail")


@blueprint.get("/mail/off/<token>")
@public
def mail_off(token: str) -> Answer:
    tokens.unsubscribe_member(settings().secret_key, token)
    return page("mail_off", done=False)


@blueprint.post("/mail/off/<token>")
@csrf.exempt
@public
def press_mail_off(token: str) -> Answer:
    """One press, also by the mail program itself (RFC 8058): the token stands for the session."""
    member_id = tokens.unsubscribe_member(settings().secret_key, token)
    with unit_of_work() as s:
        member = s.get(Member, member_id)
        if member is not None:
            member.wants_mail = False
    return page("mail_off", done=True)


# --- Tokens for programs -----------------------------------------------------------------------------------------


@blueprint.get("/me/tokens")
@needs(Action.MANAGE_OWN_ACCOUNT)
def api_tokens() -> Answer:
    return _tokens_page(200, {})


def _tokens_page(status: int, errors: Mapping[str, str], made: str | None = None) -> Answer:
    actor = current_actor()
    rows = tokens.rows(db.session(), actor.id or 0, now=utc_now())
    may_moderate = actor.is_staff and actor.has_second_factor
    form = request.form if errors else MultiDict()
    return page("tokens", status, rows=rows, errors=errors, made=made, form=form, may_moderate=may_moderate)


@blueprint.post("/me/tokens")
@needs(Action.MANAGE_OWN_ACCOUNT)
def make_token() -> Answer:
    """The token is shown once, in this very answer."""
    actor, scopes = current_actor(), request.form.getlist("scopes")
    try:
        with unit_of_work() as s:
            check_own_password(s, me(s))
            if "moderate" in scopes and not (actor.is_staff and actor.has_second_factor):
                message = _("Only staff with two-step sign-in can have a token that moderates.")
                raise Invalid("scope-not-yours", message, errors=[("scopes", message)])
            name = request.form.get("name", "")
            made = tokens.create(s, actor.id or 0, name=name, scopes=scopes, now=utc_now())
    except (Invalid, TooMany) as error:
        return _tokens_page(*refused(error))
    return _tokens_page(200, {}, made)


@blueprint.post("/me/tokens/<int:number>/revoke")
@needs(Action.MANAGE_OWN_ACCOUNT)
def revoke_token(number: int) -> Answer:
    with unit_of_work() as s:
        tokens.revoke(s, current_actor().id or 0, number, now=utc_now())
    flash(_("The token no longer works."), "success")
    return go("/me/tokens")


# --- The end -----------------------------------------------------------------------------------------------------


@blueprint.get("/me/close")
@needs(Action.CLOSE_OWN_ACCOUNT)
def close() -> Answer:
    return page("close", form=request.form, errors={})


@blueprint.post("/me/close")
@needs(Action.CLOSE_OWN_ACCOUNT)
def send_close() -> Answer:
    """Close the account. The forum keeps or withdraws the posts by a hook, in the same transaction."""
    posts = request.form.get("posts", "")
    try:
        with unit_of_work() as s:
            member = me(s)
            if posts not in ("keep", "withdraw"):
                message = _("Please choose what happens to your posts.")
                raise Invalid("posts", message, errors=[("posts", message)])
            check_own_password(s, member)
            member_id, handle, to = member.id, member.handle, member.email
            gate = current_app.extensions.get("boardwell.gate")
            for hook in current_app.extensions.get("boardwell.close_hooks", ()):
                hook(s, member_id, withdraw=posts == "withdraw", gate=gate, now=utc_now())
            members.close_account(s, member, now=utc_now())
            mailer.put(s, "account_closed", member_id=member_id, to=to, handle=handle, now=utc_now())
            flows.sign_out(s, member_id)
    except (Invalid, TooMany, Conflict) as error:
        status, errors = refused(error)
        return page("close", status, form=request.form, errors=errors)
    return go("/closed")


@blueprint.get("/closed")
@public
def closed() -> Answer:
    return page("closed")
