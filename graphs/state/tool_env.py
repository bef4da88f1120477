"""Equipment: what agents act with, under which rules, and where their files are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noctule.core.base.masking import Masker
from noctule.core.base.roles import Role
from noctule.core.sessions.sessions import Session
from noctule.core.settings import Permission, Settings
from tools.base.protected_paths import kept_paths, lies_in
from tools.base.workspace import PathError, Workspace, open_workspace
from tools.registry import Toolbox

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class ToolEnvironment:
    """What agents act with.

    Args:
        toolbox: every tool there is.
        settings: the configuration as it is now.
        masker: keeps secrets out of what is shown and stored.
        home: the data folder, absolute; workspaces without a folder of their own are in it.
        kept: the files the configuration was read from; like all it names (``kept_paths``), no
            agent may change them.
    """

    toolbox: Toolbox
    settings: Settings
    masker: Masker
    home: Path
    kept: tuple[Path, ...] = ()

    def workspace(self, session: Session) -> Workspace:
        """Return a session's folder, made if need be.

        Raises:
            PathError: the folder it was given is gone, or is one that no agent may have.
        """
        given = None if session.workspace is None else Path(session.workspace)
        most = self.settings.tools.workspace_mb * _MIB
        kept = kept_paths(self.settings, self.kept)
        workspace = open_workspace(self.home, session.id, given, most_bytes=most, kept=kept)
        own = self.settings.tools.folder
        if own is not None and lies_in(workspace.root, [own]) is not None:
            raise PathError(
                f"{workspace.root} lies in tools.folder ({own}), whose files Noctule runs, so it "
                "is no workspace. Name another folder."
            )
        return workspace

    def role_rules(self, role: Role) -> Mapping[str, Permission]:
        """Return what a role's own section says of permissions."""
        return self.settings.roles[role].permissions

    def insists_on_tools(self, role: Role) -> bool:
        """Return whether the configuration itself names the tools of a role.

        Such a role is refused without a model that calls them; others go on without.
        """
        return bool(self.settings.roles[role].tools)
