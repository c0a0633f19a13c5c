/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Components and settings in common use, with the passes that Microsoft's "Unattended
 * Windows Setup Reference" gives for each. Components that this table lacks are reported,
 * not refused: products bring their own.
 */
#include "base/text.h"
#include "windows/answer_private.h"

#define W PASS_WINDOWS_PE
#define F PASS_OFFLINE_SERVICING
#define G PASS_GENERALIZE
#define S PASS_SPECIALIZE
#define AS PASS_AUDIT_SYSTEM
#define AU PASS_AUDIT_USER
#define O PASS_OOBE_SYSTEM

static const struct {
	const char *component;
	unsigned passes;
	const char *settings; /* with blanks between */
} table[] = {
	{"Microsoft-Windows-Deployment", AS, "AuditComputerName"},
	{"Microsoft-Windows-Deployment", G | S | AS | O, "DeviceForm ExtendOSPartition"},
	{"Microsoft-Windows-Deployment", G, "DuplicatorDescription"},
	{"Microsoft-Windows-Deployment", AU, "Generalize"},
	{"Microsoft-Windows-Deployment", AS | AU | O, "Reseal"},
	{"Microsoft-Windows-Deployment", S | AU, "RunAsynchronous RunSynchronous"},
	{"Microsoft-Windows-DeviceGuard-Unattend", F,
	 "EnableVirtualizationBasedSecurity HypervisorEnforcedCodeIntegrity "
	 "LsaCfgFlags"},
	{"Microsoft-Windows-DNS-Client", S,
	 "DNSDomain DNSSuffixSearchOrder Interfaces UseDomainNameDevolution"},
	{"Microsoft-Windows-EnhancedStorage-Adm", S, "TCGSecurityActivationDisabled"},
	{"Microsoft-Windows-ErrorReportingCore", S, "DefaultConsent DisableWER"},
	{"Microsoft-Windows-IE-ESC", S, "IEHardenAdmin IEHardenUser"},
	{"Microsoft-Windows-IE-InternetExplorer", S,
	 "Accelerators AllowedSites BlockPopups CommandLabelDisplay CompanyName "
	 "CompatibilityViewDomains DisableAccelerators "
	 "DisableDataExecutionPrevention DisableDevTools DisableFirstRunWizard "
	 "DisableOOBAccelerators FavoriteBarItems FavoritesDelete FavoritesList "
	 "FavoritesOnTop FeedList FilterLevel FindProvidersURL GroupTabs Help_Page "
	 "Home_Page InstalledBHOList InstalledBrowserExtensions "
	 "InstalledToolbarsList IntranetCompatibilityMode LocalIntranetSites "
	 "LockToolbars MSCompatibilityMode PlaySound PreApprovedAddons "
	 "PreapprovedAddons PrivacyAdvisorMode QuickLinkList SearchScopes "
	 "ShowInformationBar ShowLeftAddressToolbar StartPages "
	 "SuggestedSitesEnabled TabProcessGrowth TrustedSites UserAgent "
	 "Window_Title_CN"},
	{"Microsoft-Windows-International-Core", S | O,
	 "InputLocale SystemLocale UILanguage UILanguageFallback UserLocale"},
	{"Microsoft-Windows-International-Core-WinPE", W,
	 "InputLocale LayeredDriver SetupUILanguage SystemLocale UILanguage "
	 "UILanguageFallback UserLocale"},
	{"Microsoft-Windows-LUA-Settings", F, "EnableLUA"},
	{"Microsoft-Windows-NetBT", S, "Interfaces"},
	{"Microsoft-Windows-OutOfBoxExperience", G | S,
	 "DoNotOpenInitialConfigurationTasksAtLogon OemExtensionXmlFilePath"},
	{"Microsoft-Windows-PartitionManager", F, "SanPolicy"},
	{"Microsoft-Windows-PnpCustomizationsNonWinPE", F | AS, "DriverPaths"},
	{"Microsoft-Windows-PnpCustomizationsWinPE", W | F | AS, "DriverPaths"},
	{"Microsoft-Windows-PnpSysprep", G | S, "DoNotCleanUpNonPresentDevices"},
	{"Microsoft-Windows-PnpSysprep", G, "PersistAllDeviceInstalls"},
	{"Microsoft-Windows-powercpl", G | S, "PreferredPlan"},
	{"Microsoft-Windows-RemoteAssistance-Exe", S,
	 "CreateEncryptedOnlyTickets MaxTicketExpiry MaxTicketExpiryUnits "
	 "fAllowFullControl fAllowToGetHelp fEnableChatControl"},
	{"Microsoft-Windows-SecureStartup-FilterDriver", F | S | AS | O,
	 "BytesDecryptedInDiskRequestOverhead MaxCryptoRequestsPerIo "
	 "MaxDecryptRequests MaxEncryptRequests PreventDeviceEncryption "
	 "SlicedEncryptionInPlace SlicedEncryptionMax SlicedEncryptionMinSize "
	 "WriteIoAggregateMaxSize WriteIoAggregateMinSize WriteSubrequestLength"},
	{"Microsoft-Windows-Security-SPP", G, "SkipRearm"},
	{"Microsoft-Windows-Security-SPP-UX", S, "SkipAutoActivation"},
	{"Microsoft-Windows-Security-SPP-UX-SPPCC", S | AS | O, "ReferralId"},
	{"Microsoft-Windows-ServerManager-SvrMgrNc", G | S,
	 "DoNotOpenServerManagerAtLogon"},
	{"Microsoft-Windows-Setup", W,
	 "ComplianceCheck Diagnostics DiskConfiguration Display DynamicUpdate "
	 "EnableFirewall EnableNetwork ImageInstall LogPath PageFile Restart "
	 "RunAsynchronous RunSynchronous UpgradeData UseConfigurationSet UserData "
	 "WindowsDeploymentServices"},
	{"Microsoft-Windows-Shell-Setup", S | AS | O,
	 "AutoLogon DisableAutoDaylightTimeSet TimeZone"},
	{"Microsoft-Windows-Shell-Setup", F | G | S | AU | O,
	 "BluetoothTaskbarIconEnabled OEMInformation RegisteredOrganization "
	 "RegisteredOwner"},
	{"Microsoft-Windows-Shell-Setup", F | S, "ComputerName"},
	{"Microsoft-Windows-Shell-Setup", W | F | G | S | AS | O,
	 "ConvertibleSlateModePromptPreference SignInMode"},
	{"Microsoft-Windows-Shell-Setup", S,
	 "CopyProfile Notification NotificationArea OEMName ProductKey"},
	{"Microsoft-Windows-Shell-Setup", F | S | O, "DesktopOptimization"},
	{"Microsoft-Windows-Shell-Setup", S | AS | AU | O,
	 "Display Themes WindowsFeatures"},
	{"Microsoft-Windows-Shell-Setup", F | G | S | AS | O, "EnableStartMenu"},
	{"Microsoft-Windows-Shell-Setup", O,
	 "FirstLogonCommands FolderLocations LogonCommands OOBE VisualEffects"},
	{"Microsoft-Windows-Shell-Setup", F, "OfflineUserAccounts"},
	{"Microsoft-Windows-Shell-Setup", S | AU | O,
	 "RegionalOverrides ShowPowerButtonOnStartScreen ShowWindowsLive "
	 "StartTiles StartTilesRegionalOverrides TaskbarLinks"},
	{"Microsoft-Windows-Shell-Setup", AS | O, "UserAccounts"},
	{"Microsoft-Windows-SMBServer", G, "LmAnnounce Size"},
	{"Microsoft-Windows-SQMAPI", S, "CEIPEnabled"},
	{"Microsoft-Windows-SystemRestore-Main", S, "DisableSR"},
	{"Microsoft-Windows-TCPIP", W | S, "IcmpRedirectsEnabled Interfaces"},
	{"Microsoft-Windows-TerminalServices-LocalSessionManager", F | G | S,
	 "fDenyTSConnections"},
	{"Microsoft-Windows-TerminalServices-RDP-WinStationExtensions", G | S,
	 "SecurityLayer UserAuthentication"},
	{"Microsoft-Windows-TerminalServices-RemoteConnectionManager", F | G | S,
	 "LicensingMode"},
	{"Microsoft-Windows-UnattendedJoin", S, "Identification"},
	{"Microsoft-Windows-UnattendedJoin", F, "OfflineIdentification"},
	{"Microsoft-Windows-WinRE-RecoveryAgent", O, "UninstallWindowsRE"},
	{"Microsoft-Windows-Wlansvc", F | S | O,
	 "CoexistenceSupport NumAntennaConnected SimultaneousMultiChannelSupported "
	 "WLANFunctionLevelDeviceResetSupported "
	 "WLANPlatformLevelDeviceResetSupported"},
	{"Microsoft-Windows-Wlansvc", W | S, "RadioLocation"},
	{"Networking-MPSSVC-Svc", S,
	 "DisableStatefulFTP DisableStatefulPPTP "
	 "DomainProfile_DisableNotifications DomainProfile_EnableFirewall "
	 "DomainProfile_LogDroppedPackets DomainProfile_LogFile "
	 "DomainProfile_LogFileSize DomainProfile_LogSuccessfulConnections "
	 "FirewallGroups PrivateProfile_DisableNotfications "
	 "PrivateProfile_EnableFirewall PrivateProfile_LogDroppedPackets "
	 "PrivateProfile_LogFile PrivateProfile_LogFileSize "
	 "PrivateProfile_LogSuccessfulConnections "
	 "PublicProfile_DisableNotifications PublicProfile_EnableFirewall "
	 "PublicProfile_LogDroppedPackets PublicProfile_LogFile "
	 "PublicProfile_LogFileSize PublicProfile_LogSuccessfulConnections"},
	{"Security-Malware-Windows-Defender", F | S | O,
	 "DefinitionUpdateFileSharesSources DisableAntiSpyware "
	 "EnableRemoteManagedDefaults FallbackOrder Scan SignatureUpdateInterval "
	 "ThreatSeverityDefaultAction TrustedImageIdentifier"},
};

static const struct {
	const char *name;
	enum answer_pass pass;
} passes[] = {
	{"windowsPE", PASS_WINDOWS_PE},	    {"offlineServicing", PASS_OFFLINE_SERVICING},
	{"generalize", PASS_GENERALIZE},    {"specialize", PASS_SPECIALIZE},
	{"auditSystem", PASS_AUDIT_SYSTEM}, {"auditUser", PASS_AUDIT_USER},
	{"oobeSystem", PASS_OOBE_SYSTEM},
};

static bool has_word(const char *words, const char *word)
{
	for (size_t len; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		if (len == strlen(word) && text_equal_n(words, word, len))
			return true;
	}
	return false;
}

unsigned answer_setting_passes(const char *component, const char *setting)
{
	unsigned found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (text_equal(table[i].component, component) &&
		    (!setting || has_word(table[i].settings, setting)))
			found |= table[i].passes;
	return found;
}

unsigned answer_pass_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(passes); i++)
		if (strcmp(passes[i].name, name) == 0)
			return passes[i].pass;
	return 0;
}
