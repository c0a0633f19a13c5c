# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the INF that a record of Windows' driver database could have come from.

The record says what Windows made of the INF: sections, IDs, services, registry lines. The
text written here says the same in the INF's language, so that injecting it must give the
record again. It is not the vendor's file, and proves the rules, not the reading of it."""
import re
import struct
from datetime import datetime, timedelta

from reinject_tree import texts_of

DEVICE = "{a45c254e-df1c-4efd-8020-67d146a850e0}"
DRIVER = "{a8b865dd-2e3d-4094-ad97-e593a70c75d6}"
# Device properties that an INF sets through AddReg: (fmtid, PID) -> (section, value name).
WELL_KNOWN = {
    (DEVICE, 0x19): ("hw", "Security"),
    (DEVICE, 0x1D): ("hw", "DeviceCharacteristics"),
    (DEVICE, 0x1F): ("hw", "UINumberDescFormat"),
    (DEVICE, 0x0E): ("hw", "FriendlyName"),
    (DEVICE, 0x23): ("hw", "RemovalPolicy"),
    (DRIVER, 0x0A): ("driver", "EnumPropPages32"),
    (DRIVER, 0x0C): ("driver", "ResourcePickerTags"),
    (DRIVER, 0x0D): ("driver", "ResourcePickerExceptions"),
}
PROPERTY_SECURITY, PROPERTY_TEXT, PROPERTY_INDIRECT = 0x13, 0x12, 0x19
PROPERTY_UINT32, PROPERTY_BOOLEAN = 0x07, 0x11
# What the upper half of a value's type says about the INF line.
NOCLOBBER, APPEND, DELETE_KEY, DELETE_VALUE = 0x2, 0x4, 0x10, 0x20
# StatusFlags
COPIES, GLOBAL_REGISTRY, CO_INSTALLERS, HAS_FILES = 0x2, 0x4, 0x8, 0x10
# Version: why it is not configurable
LOG_CONFIG, DELETES_SERVICE, INSTALLERS, GLOBAL_SOFTWARE = 0x80, 0x2000, 0x4000, 0x8000
UNDERSTOOD = LOG_CONFIG | DELETES_SERVICE | INSTALLERS | GLOBAL_SOFTWARE
# ConfigScope
SCOPE_HW, SCOPE_SERVICES, SCOPE_INTERFACES, SCOPE_INSTALLERS = 0x2, 0x4, 0x8, 0x100
ACE_FLAGS = ((1, "OI"), (2, "CI"), (4, "NP"), (8, "IO"))


# Directives of .Wdf that Windows records below Device\WUDF, and the words of their numbers.
UMDF = {
    "DriverList": ("UmdfServiceOrder", None),
    "ImpersonationLevel": ("UmdfImpersonationLevel", ("Anonymous", "Identification",
                                                      "Impersonation", "Delegation")),
    "MethodNeitherAction": ("UmdfMethodNeitherAction", ("Reject", "Copy")),
    "KernelModeClientPolicy": ("UmdfKernelModeClientPolicy", ("RejectKernelModeClients",
                                                              "AllowKernelModeClients")),
    "FileObjectPolicy": ("UmdfFileObjectPolicy", ("RejectNullAndUnknownFileObjects",
                                                  "AllowNullAndUnknownFileObjects")),
    "FsContextUsePolicy": ("UmdfFsContextUsePolicy", ("CanUseFsContext", "CanUseFsContext2",
                                                      "CannotUseFsContexts")),
    "DirectHardwareAccess": ("UmdfDirectHardwareAccess", ("RejectDirectHardwareAccess",
                                                          "AllowDirectHardwareAccess")),
}


class Impossible(Exception):
    """The record cannot have come from an INF that can be written down."""


def quoted(text):
    if "\n" in text or "\r" in text:
        raise Impossible("a text with a line break")
    return '"' + text.replace('"', '""').replace("%", "%%") + '"'


def plain_quoted(text):
    """For [Strings]: its texts are not substituted, so a % stands for itself."""
    return quoted(text).replace("%%", "%")


def field(text):
    """A device ID or a name: in quotes only where it must be."""
    return text if re.fullmatch(r"[\w\\&.*{}:#+-]+", text) else quoted(text)


def guid_text(data):
    a, b, c = struct.unpack_from("<IHH", data)
    return "{%08x-%04x-%04x-%s-%s}" % (a, b, c, data[8:10].hex(), data[10:16].hex())


def sid_text(data):
    count = data[1]
    authority = int.from_bytes(data[2:8], "big")
    subs = struct.unpack_from("<%dI" % count, data, 8)
    return "S-%d-%d" % (data[0], authority) + "".join("-%d" % s for s in subs)


def sddl_text(data):
    """A self-relative descriptor that has a DACL of plain entries, as SDDL."""
    control, owner, group, sacl, dacl = struct.unpack_from("<HIIII", data, 2)
    if not dacl or sacl:
        raise Impossible("a security descriptor with a SACL or without a DACL")
    text = ("O:" + sid_text(data[owner:]) if owner else "") + (
        "G:" + sid_text(data[group:]) if group else "")
    text += "D:" + ("P" if control & 0x1000 else "") + ("AI" if control & 0x400 else "")
    count = struct.unpack_from("<H", data, dacl + 4)[0]
    at = dacl + 8
    for _ in range(count):
        kind, flags, size, mask = struct.unpack_from("<BBHI", data, at)
        if kind > 1 or flags & ~0xF:
            raise Impossible("an access control entry of type %d, flags %x" % (kind, flags))
        inherit = "".join(t for b, t in ACE_FLAGS if flags & b)
        text += "(%s;%s;0x%x;;;%s)" % ("AD"[kind], inherit, mask, sid_text(data[at + 8:]))
        at += size
    return text


def split_scope(section):
    """("vioscsi_inst", ".NTamd64")"""
    found = re.fullmatch(r"(?i)(.*?)(\.nt(?:amd64)?)?", section)
    return found.group(1), found.group(2) or ""


class Writer:
    """Sections in the order of their first use."""

    def __init__(self):
        self.sections = {}
        self.strings = {}

    def add(self, section, line=None):
        lines = self.sections.setdefault(section, [])
        if line is not None:
            lines.append(line)

    def string(self, token, text):
        known = self.strings.setdefault(token.lower(), (token, text))
        if known[1] != text:
            raise Impossible("two texts for %%%s%%" % token)

    def bytes(self):
        out = []
        for section, lines in self.sections.items():
            out += ["[%s]" % section] + lines + [""]
        out.append("[Strings]")
        out += ["%s = %s" % (t if re.fullmatch(r"[\w.-]+", t) else '"%s"' % t, plain_quoted(x))
                for t, x in self.strings.values()]
        return ("\ufeff" + "\r\n".join(out) + "\r\n").encode("utf-16-le", "surrogatepass")


def reg_line(key, name, kind, data):
    """An AddReg line for a value as it is recorded: (section kind, line)."""
    how, kind = kind >> 16, kind & 0xFFFF
    head = "HKR,%s,%s" % (quoted(key) if key else "", quoted(name) if name else "")
    if how == DELETE_KEY:
        return "DelReg", "HKR," + quoted((key + "\\" if key else "") + name)
    if how == DELETE_VALUE:
        return "DelReg", head
    if how not in (0, NOCLOBBER, APPEND):
        raise Impossible("value type %x%04x" % (how, kind))
    flags = {0: 0, NOCLOBBER: 0x2, APPEND: 0x8}[how]
    if kind in (1, 2):
        if data and data[-2:] != b"\0\0":
            raise Impossible("a string without its end")
        text = data.decode("utf-16-le").rstrip("\0")
        if not data and not text:
            text = ""
        return "AddReg", head + ",0x%08x,%s" % (flags | (0x20000 if kind == 2 else 0), quoted(text))
    if kind == 7:
        return "AddReg", head + ",0x%08x,%s" % (
            flags | 0x10000, ",".join(quoted(t) for t in texts_of(data)))
    if kind == 4 and len(data) == 4:
        return "AddReg", head + ",0x%08x,0x%x" % (
            flags | 0x10001, int.from_bytes(data, "little"))
    number = {3: 0x1, 4: 0x10001, 0: 0x20001, 11: 0xB0001}.get(kind)
    if number is None:
        raise Impossible("value type %x" % kind)
    return "AddReg", head + ",0x%08x,%s" % (
        flags | number, ",".join("%02x" % b for b in data))


class Package:
    """One record and everything it takes to write its INF."""

    def __init__(self, record, published, inf_file, ids, services, class_name, windows10,
                 stubs, order):
        self.record, self.published, self.inf_file = record, published, inf_file
        self.ids, self.services, self.class_name = ids, services, class_name
        self.windows10, self.stubs, self.order = windows10, stubs, order
        self.out = Writer()
        self.files = {}  # file name -> dirid of its CopyFiles, or None
        self.status = record.number("StatusFlags") or 0
        self.reasons = struct.unpack_from("<I", record.get("Version")[1], 40)[0]
        self.configurations = record.keys.get("configurations")
        self.first_with_services = None
        self.orphans = []  # sections that no line of a Models section can lead to
        self.owned = {s.name.lower(): s for s in services
                      if published.lower() in [o.lower() for o in s.texts("Owners")]}

    # -- [Version], [Strings] ---------------------------------------------------------

    def version(self):
        blob = self.record.get("Version")[1]
        date, version = struct.unpack_from("<QQ", blob, 24)
        day = datetime(1601, 1, 1) + timedelta(microseconds=date // 10)
        if day.hour or day.minute or day.second:
            raise Impossible("a driver date with a time of day")
        number = ".".join(str(version >> s & 0xFFFF) for s in (48, 32, 16, 0))
        add = self.out.add
        add("Version", 'Signature = "$Windows NT$"')
        add("Version", "Class = %s" % quoted(self.class_name))
        add("Version", "ClassGuid = " + guid_text(blob[8:24]))
        add("Version", "Provider = " + quoted(self.record.text("Provider")))
        add("Version", "DriverVer = %s,%s" % (day.strftime("%m/%d/%Y"), number))
        add("Version", "PnpLockdown = 1")
        if self.record.number("BootCritical"):
            add("Version", "BootCritical = 1")
        if self.record.get("ExtensionId"):
            add("Version", "ExtensionId = " + guid_text(self.record.get("ExtensionId")[1]))

    def written(self, text):
        """Text of a Descriptor as the INF would say it; its token goes to [Strings]."""
        if not re.fullmatch(r"%[^%]+%", text):
            return quoted(text)
        strings = self.record.keys["strings"]
        if text[1:-1].lower() in strings.values:
            self.out.string(text[1:-1], strings.text(text[1:-1]))
        return text

    # -- Models -----------------------------------------------------------------------

    def descriptors(self):
        """ID -> Key, in the order of the record."""
        found = {}
        for path, key in self.record.keys["descriptors"].walk():
            if key.values:
                found[path] = key
        return found

    def model_lines(self, fields):
        """Lines of one section: hardware IDs alone, compatible IDs behind their leaders."""
        lines = []
        compatible = {}
        for name, data in fields.items():
            kind, _, index = struct.unpack("<BBH", data)
            if kind in (1, 3):
                lines.append([name])
            else:
                compatible.setdefault(index, []).append(name)
        leaders = list(compatible.get(0, []))
        filler = leaders[0] if leaders else lines[0][0] if lines else None
        lines += [["", name] for name in leaders]
        for index in sorted(compatible)[1 if 0 in compatible else 0:]:
            for name in compatible[index]:
                if filler is None:
                    raise Impossible("a compatible ID without those before it")
                lines.append(["", *[filler] * index, name])
        if filler in leaders:  # the fillers came last: say the first one again
            lines.append(["", filler])
        elif filler is not None and any(i for i in compatible if i):
            lines.append([filler])
        return lines

    def models(self):
        ids = {name.lower(): (name, data) for name, data in self.ids.items()}
        if self.configurations is None:
            return self.models_without_record()
        descriptors = self.descriptors()
        by_section = {name: {} for name in self.order}
        for name, key in descriptors.items():
            if name.lower() not in ids:
                raise Impossible("a descriptor without a device ID")
            group = by_section[key.text("Configuration")]
            pair = (key.text("Manufacturer"), key.text("Description"))
            group.setdefault(pair, {})[name] = ids[name.lower()][1]
        used = {t.lower() for k in descriptors.values()
                for t in (k.text("Manufacturer"), k.text("Description"))}
        left = [n for n, _, _ in self.record.keys["strings"].values.values()
                if "%" + n.lower() + "%" not in used]
        run = 0
        for section, groups in by_section.items():
            base = split_scope(section)[0]
            if not groups:
                run += 1
                self.overridden(section, run, descriptors)
                continue
            manufacturers = []
            for pair in groups:
                if pair[0] not in manufacturers:
                    manufacturers.append(pair[0])
            for manufacturer in manufacturers:
                run += 1
                self.out.add("Manufacturer", "%s = Run%d,NTamd64" % (
                    self.written(manufacturer), run))
                for pair, fields in groups.items():
                    if pair[0] != manufacturer:
                        continue
                    for line in self.model_lines(fields):
                        self.out.add("Run%d.NTamd64" % run, "%s = %s,%s" % (
                            self.written(pair[1]), base, ",".join(
                                field(i) if i else "" for i in line)))
        # A package installed on a running machine describes only the devices that were there.
        others = [n for n, _ in ids.values() if n.lower() not in
                  {d.lower() for d in descriptors}]
        if others:
            key = next(iter(descriptors.values()))
            run += 1
            self.out.add("Manufacturer", "%s = Run%d,NTamd64" % (
                self.written(key.text("Manufacturer")), run))
            for line in self.model_lines({n: self.ids[n] for n in others}):
                self.out.add("Run%d.NTamd64" % run, "%s = %s,%s" % (
                    self.written(key.text("Description")),
                    split_scope(key.text("Configuration"))[0],
                    ",".join(field(i) if i else "" for i in line)))
        if left:
            # A token whose every ID a later line took over.
            first = next(iter(descriptors))
            self.out.sections["Manufacturer"].insert(0, "%s = Run0,NTamd64" % self.written(
                descriptors[first].text("Manufacturer")))
            for token in left:
                self.out.add("Run0.NTamd64", "%s = %s,%s" % (
                    self.written("%" + token + "%"), split_scope(self.order[0])[0], field(first)))

    def overridden(self, section, run, descriptors):
        """A section without any descriptor: the line of another one, below, took its ID.
        Where none is below, other INFs reach the section by Needs: not to be written."""
        base = split_scope(section)[0]
        later = [n for n, k in descriptors.items()
                 if self.order.index(k.text("Configuration")) > self.order.index(section)]
        if not later:
            self.orphans.append(section)
            return
        key = descriptors[later[0]]
        self.out.add("Manufacturer", "%s = Run%d,NTamd64" % (
            self.written(key.text("Manufacturer")), run))
        self.out.add("Run%d.NTamd64" % run, "%s = %s,%s" % (
            self.written(key.text("Description")), base, field(later[0])))

    def models_without_record(self):
        self.out.add("Manufacturer", '"Test" = Run0,NTamd64')
        for line in self.model_lines(self.ids):
            self.out.add("Run0.NTamd64", '"Test device" = %s,%s' % (
                "Staged_Install", ",".join(field(i) if i else "" for i in line)))
        self.order = ["Staged_Install.NT"]
        self.out.add("Staged_Install.NT")
        if self.reasons:
            self.not_configurable("Staged_Install.NT", 0)
            self.installers("Staged_Install.NT", 0, True, None)
        holder = "Staged_Install.NT.Services"
        self.out.add(holder)
        for number, service in enumerate(self.owned.values()):
            self.out.add(holder, "AddService = %s,0x%08x,%s" % (
                service.name, 0 if number else 2, self.service(service.name)))
        if self.reasons & DELETES_SERVICE:
            self.out.add(holder, "DelService = OldTestService")

    # -- install sections -------------------------------------------------------------

    def registry(self, holder, prefix, key, writer=None):
        """AddReg and DelReg for everything below a recorded key."""
        lines = {"AddReg": [], "DelReg": []}
        for path, sub in key.walk() if key else ():
            for name, kind, data in sub.values.values():
                where, line = reg_line(path, name, kind, data)
                lines[where].append(line)
            if path and not sub.values and not sub.keys:
                lines["AddReg"].append("HKR,%s,,0x10" % quoted(path))
        self.registry_lines(holder, prefix, lines["AddReg"], lines["DelReg"], writer)

    def registry_lines(self, holder, prefix, add, delete=(), writer=None):
        writer = writer or self.out
        for directive, lines in (("DelReg", delete), ("AddReg", add)):
            for line in lines:
                name = "%s.%s" % (prefix, directive)
                if name not in writer.sections:
                    writer.add(holder, "%s = %s" % (directive, name))
                writer.add(name, line)

    def properties(self, section, key, number):
        """Recorded device properties: AddReg of .HW or DDInstall, else AddProperty."""
        hw, driver, needs = [], [], {}
        for path, sub in key.walk() if key else ():
            if not sub.values:
                continue
            fmtid, pid = path.lower().split("\\")
            pid = int(pid, 16)
            kind, data = sub.get("")
            if kind >> 16 != 0xFFFF:
                raise Impossible("property type %x" % kind)
            kind &= 0xFFFF
            place, name = WELL_KNOWN.get((fmtid, pid), (None, None))
            where = hw if place == "hw" else driver
            if kind == PROPERTY_INDIRECT:
                inf, token, text = re.fullmatch(
                    r"@([^,]+),%([^%]+)%;(.*)", data.decode("utf-16-le").rstrip("\0")).groups()
                line = "HKR,,%s,,%%%s%%" % (name, token)
                if inf.lower() in (self.inf_file.lower(), self.published.lower()):
                    self.out.string(token, text)
                    where.append(line)
                else:
                    needs.setdefault(inf, []).append((line, token, text))
            elif kind == PROPERTY_SECURITY:
                where.append('HKR,,%s,,"%s"' % (name, sddl_text(data)))
            elif place and kind == PROPERTY_TEXT:
                where.append("HKR,,%s,,%s" % (name, quoted(data.decode("utf-16-le").rstrip("\0"))))
            elif place and kind == PROPERTY_UINT32:
                where.append("HKR,,%s,0x00010001,0x%x" % (name, int.from_bytes(data, "little")))
            else:
                value = {PROPERTY_UINT32: lambda: "0x%x" % int.from_bytes(data, "little"),
                         PROPERTY_BOOLEAN: lambda: "1" if data[0] else "0",
                         PROPERTY_TEXT: lambda: quoted(data.decode("utf-16-le").rstrip("\0")),
                         }.get(kind)
                if not value:
                    raise Impossible("property type %x" % kind)
                prefix = "Set%d.Properties" % number
                if prefix not in self.out.sections:
                    self.out.add(section, "AddProperty = " + prefix)
                self.out.add(prefix, "%s,%d,%d,,%s" % (fmtid, pid, kind, value()))
        return hw, driver, needs

    def services_of(self, section, key):
        """Names of the services that this section adds, the function driver first."""
        names = []
        associated = key.text("Service")
        others = key.texts("UpperFilters") + key.texts("LowerFilters")
        others += [k.name for k in key.keys["services"].keys.values()] \
            if "services" in key.keys else []
        if section == self.first_with_services:
            named = {n.lower() for c in self.configurations.keys.values()
                     for n in [c.text("Service") or ""] + c.texts("UpperFilters")
                     + c.texts("LowerFilters")
                     + [k.name for k in getattr(c.keys.get("services"), "keys", {}).values()]}
            others += [s.name for s in self.owned.values() if s.name.lower() not in named]
        for name in [associated or ""] + others:
            if name and name.lower() in self.owned and \
                    name.lower() not in [n.lower() for n in names]:
                names.append(name)
        return associated, names

    def binary(self, service):
        """ImagePath -> ServiceBinary; the file becomes part of the package."""
        path = service.text("ImagePath")
        found = re.fullmatch(r"(?i)(?:\\SystemRoot\\)?(System32\\drivers\\([^\\]+))", path)
        if found:
            if self.status & COPIES:
                self.files[found.group(2)] = 12
            if "System32\\drivers\\" in path:
                return "%12%\\" + found.group(2)
            return path if path == found.group(1) else "%10%\\" + found.group(1)
        found = re.fullmatch(r"(?i)\\SystemRoot\\System32\\DriverStore\\FileRepository\\"
                             r"[^\\]+\\([^\\]+)", path)
        if found:
            self.files.setdefault(found.group(1), None)
            return "%13%\\" + found.group(1)
        found = re.fullmatch(r"(?i)%SystemRoot%\\System32\\(.*)", path)
        if found:
            return "%11%\\" + found.group(1)
        raise Impossible("ImagePath " + path)

    def indirect(self, service, name, writer):
        text = service.text(name)
        found = re.fullmatch(r"@[^,]+\.inf,%([^%]+)%;(.*)", text or "", re.I)
        if found:
            writer.string(found.group(1), found.group(2))
            return "%" + found.group(1) + "%"
        return quoted(text) if text else None

    def inf_of(self, service):
        """The INF that Windows took the service's text from: another one, by Needs?"""
        found = re.match(r"@([^,]+\.inf),%", service.text("DisplayName") or "", re.I)
        inf = found.group(1) if found else self.published
        owners = [o.lower() for o in service.texts("Owners")]
        return None if inf.lower() in [self.inf_file.lower(), self.published.lower()] \
            or inf.lower() in owners else inf

    def service(self, name, writer=None):
        service, writer = self.owned[name.lower()], writer or self.out
        section = name + "_Service"
        if section in writer.sections:
            return section
        for directive, value in (("DisplayName", self.indirect(service, "DisplayName", writer)),
                                 ("Description", self.indirect(service, "Description", writer)),
                                 ("ServiceType", service.number("Type")),
                                 ("StartType", service.number("Start")),
                                 ("ErrorControl", service.number("ErrorControl")),
                                 ("ServiceBinary", self.binary(service)),
                                 ("LoadOrderGroup", service.text("Group") or None),
                                 ("Dependencies", ",".join(service.texts("DependOnService"))
                                  or None),
                                 ("BootFlags", service.number("BootFlags")),
                                 ("StartName", service.text("ObjectName"))):
            if value is not None:
                writer.add(section, "%s = %s" % (
                    directive, quoted(value) if directive == "LoadOrderGroup" else value))
        return section

    def section(self, number, key):
        base, suffix = split_scope(key.name)
        name = key.name
        scope = key.number("ConfigScope")
        add = self.out.add
        device, driver = key.keys.get("device"), key.keys.get("driver")
        add(name)
        hw, extra, needs = self.properties(name, key.keys.get("properties"), number)
        for inf in key.texts("IncludedInfs"):
            add(name, "Include = " + inf)
        if key.texts("IncludedInfs"):
            add(name, "Needs = " + ",".join(
                self.stubs.section(i, "Nothing") for i in key.texts("IncludedInfs")))
        if key.texts("ExcludeIds"):
            add(name, "ExcludeID = " + ",".join(quoted(i) for i in key.texts("ExcludeIds")))
        if key.number("Reboot"):
            add(name, "Reboot")
        self.registry(name, "Set%d.Driver" % number, driver)
        self.registry_lines(name, "Set%d.Driver" % number, extra)
        scores = {data[1] for i, data in self.ids.items() if data[1] != 0xFF}
        if scores:
            if len(scores) > 1 or any(d[1] == 0xFF for d in self.ids.values()):
                raise Impossible("several feature scores")
            add(name, "FeatureScore = %X" % scores.pop())
        for kind, values in (("Upper", key.texts("UpperFilters")),
                             ("Lower", key.texts("LowerFilters"))):
            if values:
                hw.append("HKR,,%sFilters,0x00010000,%s" % (
                    kind, ",".join(quoted(v) for v in values)))
        umdf = self.umdf_directives(device)
        if device is not None and not device.values and not device.keys:
            device = None
        if scope & SCOPE_HW if scope is not None else device or hw or needs:
            add(name + ".HW")
            for inf, lines in needs.items():
                add(name + ".HW", "Include = " + inf)
                add(name + ".HW", "Needs = " + self.stubs.registry(
                    inf, "%s_%d" % (self.inf_file, number), lines))
            self.registry(name + ".HW", "Set%d.Device" % number, device)
            self.registry_lines(name + ".HW", "Set%d.Device" % number, hw)
        elif device or hw or needs:
            raise Impossible("device settings without a .HW section")
        self.section_services(name, key, scope)
        interfaces = key.keys.get("interfaces")
        if scope & SCOPE_INTERFACES if scope is not None else interfaces:
            add(name + ".Interfaces")
            for guid in interfaces.keys.values() if interfaces else ():
                if guid.values or guid.keys:
                    raise Impossible("an interface with settings")
                add(name + ".Interfaces", "AddInterface = %s" % guid.name)
        for line in umdf:
            add(name + ".Wdf", line)
        self.installers(name, number, key.number("ConfigFlags"), scope)
        if key.number("ConfigFlags"):
            self.not_configurable(name, number)

    def umdf_directives(self, device):
        """The .Wdf directives that Windows records below WUDF in the device's settings."""
        recorded = device.values.get("wudf") if device is not None else None
        if recorded is None:
            return []
        if recorded[1] >> 16 != DELETE_KEY:
            raise Impossible("a value named WUDF")
        del device.values["wudf"]
        driver = self.inf_file[:-4] + "_umdf"
        self.out.sections["Umdf_Install"] = [
            "UmdfLibraryVersion = 2.0.0", "ServiceBinary = %%12%%\\UMDF\\%s.dll" % driver]
        lines = ["UmdfService = %s,Umdf_Install" % driver]
        settings = device.keys.get("wudf")
        if settings is None:
            return lines
        for name, (directive, words) in UMDF.items():
            if settings.get(name) is None:
                continue
            lines.append("%s = %s" % (directive, words[settings.number(name)] if words
                                      else ",".join(settings.texts(name))))
            del settings.values[name.lower()]
        if not settings.values:
            del device.keys["wudf"]
        return lines

    def section_services(self, name, key, scope):
        associated, names = self.services_of(key.name, key)
        if not (scope & SCOPE_SERVICES if scope is not None
                else associated is not None or names):
            if associated is not None:
                raise Impossible("a service without a .Services section")
            return  # its filters are added by another section
        self.out.add(name + ".Services")
        recorded = key.keys.get("services")
        if associated == "":
            self.out.add(name + ".Services", "AddService = ,0x00000002")
        if associated and associated.lower() not in self.owned:
            raise Impossible("service %s of another package" % associated)
        for service in names:
            flags = 2 if associated and service.lower() == associated.lower() else 0
            line = "AddService = %s,0x%08x,%%s" % (service, flags)
            settings = recorded.keys.get(service.lower()) if recorded else None
            inf = self.inf_of(self.owned[service.lower()])
            writer = self.out
            holder = name + ".Services"
            if inf and inf.lower() in [i.lower() for i in key.texts("IncludedInfs")]:
                writer = self.stubs.writer(inf)
                holder = "%s_%s.Services" % (split_scope(key.name)[0], service)
                self.out.add(name + ".Services", "Include = " + inf)
                self.out.add(name + ".Services", "Needs = " + holder)
            section = self.service(service, writer)
            if settings is not None:
                # one service may have other settings in every section
                own = "%s_%s" % (section, split_scope(key.name)[0])
                writer.sections[own] = list(writer.sections[section])
                self.registry(own, own, settings, writer)
                section = own
            writer.add(holder, line % section)

    def installers(self, name, number, flags, scope):
        """Co-installers: those of the driver frameworks alone leave no other trace."""
        own = bool(flags and self.reasons & INSTALLERS)
        if not own and not (scope or 0) & SCOPE_INSTALLERS:
            return
        if scope is None or scope & SCOPE_INSTALLERS:
            name += ".CoInstallers"
        self.out.add(name, "AddReg = Set%d.CoInstallers" % number)
        self.out.add("Set%d.CoInstallers" % number, 'HKR,,CoInstallers32,0x00010000,"%s"' % (
            "gildtest.dll,Entry" if own else "WdfCoInstaller01011.dll,WdfCoInstaller"))

    def not_configurable(self, name, number):
        """What keeps a package from being configurable, in the section that says so."""
        if self.reasons & ~UNDERSTOOD:
            raise Impossible("not configurable for a reason that is not known: %x"
                             % self.reasons)
        if not self.reasons:
            raise Impossible("ConfigFlags that no section of its own can be the reason of")
        if self.reasons & LOG_CONFIG:
            self.out.add(name, "LogConfig = Set%d.Log" % number)
            self.out.add("Set%d.Log" % number, "ConfigPriority = NORMAL")
        if self.reasons & GLOBAL_SOFTWARE:
            self.out.add(name, "AddReg = Software.AddReg")
            self.out.sections["Software.AddReg"] = ['HKLM,SOFTWARE\\Test,Value,,"x"']

    # -- files ------------------------------------------------------------------------

    def source_files(self):
        plain = self.inf_file[:-4] + ".dat"
        if self.status & COPIES and not any(d for d in self.files.values()):
            self.files[plain] = 12
        elif self.status & HAS_FILES and not self.files:
            self.files[plain] = None
        if not self.files:
            return
        self.out.add("SourceDisksNames", '1 = "Disk"')
        self.out.add("DestinationDirs", "DefaultDestDir = 12")
        for name, dirid in self.files.items():
            self.out.add("SourceDisksFiles", "%s = 1" % quoted(name))
            if dirid:
                self.out.add("Copy.Drivers", quoted(name))
        if "Copy.Drivers" in self.out.sections:
            first = self.order[0] if self.order else "Staged_Install.NT"
            for section in self.order or [first]:
                if section in self.out.sections:
                    self.out.sections[section].insert(0, "CopyFiles = Copy.Drivers")

    def write(self):
        """The INF's bytes."""
        if not self.ids:
            raise Impossible("no device ID: it came with Windows, not through an INF's models")
        if self.configurations is not None:
            for name in self.order:
                key = self.configurations.keys[name.lower()]
                scope = key.number("ConfigScope")
                if scope & SCOPE_SERVICES if scope is not None else \
                        key.get("Service") is not None:
                    self.first_with_services = key.name
                    break
        self.version()
        self.models()
        self.order = [n for n in self.order if n not in self.orphans]
        for number, name in enumerate(self.order if self.configurations is not None else ()):
            self.section(number, self.configurations.keys[name.lower()])
        self.source_files()
        if self.status & GLOBAL_REGISTRY and self.order and \
                not {"Software.AddReg", "Umdf_Install"} & set(self.out.sections):
            self.out.add(self.order[0], "AddReg = Global.AddReg")
            self.out.add("Global.AddReg",
                         "HKLM,SYSTEM\\CurrentControlSet\\Control\\Test,Value,0x00010001,1")
        return self.out.bytes()


class Stubs:
    """The INFs that others include: only what is needed of them, in the image's INF folder."""

    def __init__(self):
        self.infs = {}

    def writer(self, inf):
        writer = self.infs.get(inf.lower())
        if writer is None:
            writer = self.infs[inf.lower()] = Writer()
            writer.add("Version", 'Signature = "$Windows NT$"')
        return writer

    def section(self, inf, name):
        self.writer(inf).add(name)
        return name

    def registry(self, inf, name, lines):
        writer = self.writer(inf)
        section = re.sub(r"\W", "_", name)
        writer.add(section, "AddReg = %s.AddReg" % section)
        for line, token, text in lines:
            writer.string(token, text)
            writer.add(section + ".AddReg", line)
        return section
