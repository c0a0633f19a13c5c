/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A notebook's lid for a PC that QEMU emulates (ACPI 6.5, 9.4): its second serial port gets
 * 0 when it is closed and 1 when it is opened. A thermal zone, which the kernel asks for its
 * temperature every second, looks there.
 */
DefinitionBlock ("", "SSDT", 2, "GILD", "NOTEBOOK", 1)
{
	Scope (\_SB)
	{
		OperationRegion (COM2, SystemIO, 0x02F8, 8)
		Field (COM2, ByteAcc, NoLock, Preserve)
		{
			DATA, 8,
			Offset (5),
			REDY, 1
		}
		Device (LID0)
		{
			Name (_HID, EisaId ("PNP0C0D"))
			Name (OPEN, One)
			Method (_LID)
			{
				Return (OPEN)
			}
		}
		ThermalZone (TZ00)
		{
			Name (_TZP, 10)
			Name (_CRT, 3731)
			Method (_TMP, 0, Serialized)
			{
				If (REDY)
				{
					\_SB.LID0.OPEN = DATA & One
					Notify (\_SB.LID0, 0x80)
				}
				Return (3031)
			}
		}
	}
}
