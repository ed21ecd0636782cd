; Skein's setup for 64-bit Windows, for one user, without an administrator.
;
; installers/windows/nsis.py calls makensis with what is asked for below. The program goes into
; $INSTDIR\versions\<version>.partial first and gets its name when all of it is there: whatever
; stops a setup, an older version stays as it was. See installers/README.md.
;
;   setup.exe /S [/D=C:\folder]   silent, with the reason on standard error when it is refused
;             /DESKTOP            with an icon on the desktop   /DOWNGRADE  over a newer version
;             /LANG=2052          1033 English, 2052 Chinese, 1041 Japanese; else as Windows
;   Uninstall.exe /S [/WITH-DATA] silent; chats, models, states and settings stay without the word

Target amd64-unicode
!if "${FAST}" == "1"
  SetCompressor zlib
!else
  SetCompressor /SOLID lzma
  SetCompressorDictSize 64
!endif

!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include TextFunc.nsh
!include WordFunc.nsh
!include WinVer.nsh
!include nsDialogs.nsh

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Skein"
!define CLASSES "Software\Classes"
!define PART "$INSTDIR\versions\${VERSION}.partial"
!define HERE "$INSTDIR\versions\${VERSION}"
!define ASIDE "$INSTDIR\versions\${VERSION}-old.partial"

Name "Skein"
BrandingText "Skein ${VERSION}"
OutFile "${OUT}"
; What goes in is the uninstaller that was taken out once, and signed by then: see nsis.py.
!uninstfinalize `${FINISH}` = 0
InstallDir "$LOCALAPPDATA\Programs\Skein"
InstallDirRegKey HKCU "${KEY}" "InstallLocation"
RequestExecutionLevel user
AllowSkipFiles off
ShowInstDetails nevershow
ShowUninstDetails nevershow
ManifestDPIAware true
ManifestSupportedOS Win10
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "Skein"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Skein Setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "CompanyName" "Skein"
VIAddVersionKey "LegalCopyright" "Apache-2.0"

Var Current    ; the version that is here already, "" when there is none that starts
Var FreeMb
Var DataFolder
Var ModelsKb
Var ChatsKb
Var CacheKb
Var DropModels ; "1": delete them, too
Var DropChats
Var DropCache
Var Box1
Var Box2
Var Box3

; ---- Pages ------------------------------------------------------------------------------------

!define MUI_ICON "${WORK}${SEP}skein.ico"
!define MUI_UNICON "${WORK}${SEP}skein.ico"
!define MUI_WELCOMEFINISHPAGE_BITMAP "${WORK}${SEP}side.bmp"
!define MUI_HEADERIMAGE
!define MUI_HEADERIMAGE_RIGHT
!define MUI_HEADERIMAGE_BITMAP "${WORK}${SEP}header.bmp"
!define MUI_HEADERIMAGE_UNBITMAP "${WORK}${SEP}header.bmp"
!define MUI_ABORTWARNING
!define MUI_WELCOMEPAGE_TITLE "$(WELCOME_TITLE)"
!define MUI_WELCOMEPAGE_TEXT "$(WELCOME_TEXT)"
!define MUI_FINISHPAGE_RUN "$INSTDIR\Skein.exe"
!define MUI_FINISHPAGE_RUN_TEXT "$(START_SKEIN)"
!define MUI_FINISHPAGE_SHOWREADME
!define MUI_FINISHPAGE_SHOWREADME_NOTCHECKED
!define MUI_FINISHPAGE_SHOWREADME_TEXT "$(DESKTOP_ICON)"
!define MUI_FINISHPAGE_SHOWREADME_FUNCTION DesktopIcon
!insertmacro MUI_PAGE_WELCOME
!define MUI_PAGE_CUSTOMFUNCTION_LEAVE LeaveDirectory
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
UninstPage custom un.AskPage un.LeaveAsk
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "SimpChinese"
!insertmacro MUI_LANGUAGE "Japanese"
; The faces of Windows itself; what NSIS' languages name are those of Windows 98.
SetFont /LANG=${LANG_ENGLISH} "Segoe UI" 9
SetFont /LANG=${LANG_SIMPCHINESE} "Microsoft YaHei UI" 9
SetFont /LANG=${LANG_JAPANESE} "Yu Gothic UI" 9
!include "words.nsh"

!include "common.nsh"
!insertmacro BOTH ""
!insertmacro BOTH "un."
!include "uninstall.nsh"
!include "order.nsh"

; ---- Setup ------------------------------------------------------------------------------------

!macro REFUSE TEXT
  StrCpy $R0 "${TEXT}"
  Call Tell
  SetErrorLevel 2
  Abort
!macroend

; Replaces the file NAME of $INSTDIR by NAME.new, whole or not at all. As patient as RENAME.
!macro REPLACE NAME
  ${For} $R6 1 20
    System::Call 'kernel32::MoveFileExW(w "$INSTDIR\${NAME}.new", w "$INSTDIR\${NAME}", i 9) i .R1'
    ${If} $R1 <> 0
      ${Break}
    ${EndIf}
    Sleep 500
  ${Next}
  ${If} $R1 = 0
    Delete "$INSTDIR\${NAME}.new"
    !insertmacro REFUSE "$(NOT_WRITTEN)"
  ${EndIf}
!macroend

!macro WRITE_LINE NAME TEXT
  ClearErrors
  FileOpen $R1 "$INSTDIR\${NAME}.new" w
  FileWrite $R1 "${TEXT}$\n"
  FileClose $R1
  ${If} ${Errors}
    !insertmacro REFUSE "$(NOT_WRITTEN)"
  ${EndIf}
  !insertmacro REPLACE "${NAME}"
!macroend

; Renames a folder. What only just looked into it (an antivirus) has ten seconds to let go.
!macro RENAME FROM TO
  ${For} $R1 1 20
    ClearErrors
    Rename "${FROM}" "${TO}"
    ${IfNot} ${Errors}
      ${Break}
    ${EndIf}
    Sleep 500
  ${Next}
!macroend

Function .onInit
  Call ChooseLanguage
  ${IfNot} ${AtLeastWin10}
    StrCpy $R0 "$(OLD_WINDOWS)"
    Call Tell
    SetErrorLevel 2
    Quit
  ${EndIf}
  Call BeAlone
FunctionEnd

; $R0 := why $INSTDIR will not do, "" when it will.
Function LookAtFolder
  StrCpy $R0 ""
  ${If} "$INSTDIR" == "$LOCALAPPDATA\Skein"
    StrCpy $R0 "$(DATA_FOLDER)"
    Return
  ${EndIf}
  StrLen $R1 "${PART}\"
  IntOp $R1 $R1 + ${LONGEST}
  ${If} $R1 > 259
    StrCpy $R0 "$(LONG_FOLDER)"
  ${EndIf}
FunctionEnd

Function LeaveDirectory
  Call LookAtFolder
  ${If} $R0 != ""
    MessageBox MB_OK|MB_ICONEXCLAMATION "$R0"
    Abort
  ${EndIf}
FunctionEnd

; $Current := the version that would start now, "" when none would.
Function ReadCurrent
  StrCpy $R0 "current"
  Call ReadLine
  StrCpy $Current $R0
  ${If} $Current != ""
  ${AndIfNot} ${FileExists} "$INSTDIR\versions\$Current\manifest.json"
    StrCpy $Current ""
  ${EndIf}
FunctionEnd

Function AskBeforeOlder
  ${If} $Current == ""
    Return
  ${EndIf}
  Call IsNewer
  ${If} $R0 != 1
    Return
  ${EndIf}
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/DOWNGRADE" $R1
  ${IfNot} ${Errors}
    Return
  ${EndIf}
  ${If} ${Silent}
    !insertmacro REFUSE "$(NEWER) $(NEWER_SILENT)"
  ${EndIf}
  ${If} ${Cmd} `MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "$(NEWER)$\r$\n$(NEWER_ASK)" IDNO`
    SetErrorLevel 2
    Quit
  ${EndIf}
FunctionEnd

Function MakeFolder
  ClearErrors
  CreateDirectory "$INSTDIR\versions"
  FileOpen $R1 "$INSTDIR\.setup" w
  ${If} ${Errors}
    !insertmacro REFUSE "$(READ_ONLY)"
  ${EndIf}
  FileClose $R1
  Delete "$INSTDIR\.setup"
  System::Call 'kernel32::GetDiskFreeSpaceExW(w "$INSTDIR", *l .R1, p 0, p 0) i .R2'
  ${If} $R2 != 0
    System::Int64Op $R1 / 1048576
    Pop $FreeMb
    ${If} $FreeMb < ${NEED_MB}
      RMDir "$INSTDIR\versions"
      RMDir "$INSTDIR"
      !insertmacro REFUSE "$(FULL_DISK)"
    ${EndIf}
  ${EndIf}
FunctionEnd

; What earlier setups and updates did not finish.
Function RemoveLeftovers
  ClearErrors
  FindFirst $R1 $R2 "$INSTDIR\versions\*.partial"
  ${DoUntil} ${Errors}
    RMDir /r "$INSTDIR\versions\$R2"
    ClearErrors
    FindNext $R1 $R2
  ${Loop}
  FindClose $R1
  ClearErrors
FunctionEnd

; The new version gets its name. One of the same name makes place, and comes back if that fails.
Function TakePlace
  SetOutPath "$INSTDIR"
  ${IfNot} ${FileExists} "${PART}\manifest.json"
    !insertmacro REFUSE "$(NOT_WRITTEN)"
  ${EndIf}
  ${If} ${FileExists} "${HERE}\*.*"
    !insertmacro RENAME "${HERE}" "${ASIDE}"
    ${If} ${Errors}
      !insertmacro REFUSE "$(NOT_WRITTEN)"
    ${EndIf}
  ${EndIf}
  !insertmacro RENAME "${PART}" "${HERE}"
  ${If} ${Errors}
    Rename "${ASIDE}" "${HERE}"
    !insertmacro REFUSE "$(NOT_WRITTEN)"
  ${EndIf}
  RMDir /r "${ASIDE}"
FunctionEnd

; A version that was never seen to stand is not what one should return to.
Function LeaveUnproven
  StrCpy $R0 "trying"
  Call ReadLine
  StrLen $R1 "$Current "
  StrCpy $R0 "$R0 " $R1
  ${If} $R0 != "$Current " ; of a switch that was stopped before its last step
    Delete "$INSTDIR\trying"
    Return
  ${EndIf}
  StrCpy $R0 "previous"
  Call ReadLine
  ${If} $R0 != ""
  ${AndIf} $R0 != "${VERSION}"
  ${AndIf} ${FileExists} "$INSTDIR\versions\$R0\manifest.json"
    StrCpy $R2 $Current
    StrCpy $Current $R0
    !insertmacro WRITE_LINE "current" "$Current"
    Delete "$INSTDIR\previous"
    RMDir /r "$INSTDIR\versions\$R2"
  ${EndIf}
  Delete "$INSTDIR\trying"
FunctionEnd

; Two versions are kept: the one that was current, and this one.
Function DropOldest
  StrCpy $R0 "previous"
  Call ReadLine
  ${If} $R0 == ""
  ${OrIf} $R0 == "${VERSION}"
  ${OrIf} $R0 == "$Current"
    Return
  ${EndIf}
  Delete "$INSTDIR\previous"
  ${If} ${FileExists} "$INSTDIR\versions\$R0\manifest.json"
    RMDir /r "$INSTDIR\versions\$R0"
  ${EndIf}
FunctionEnd

; A first version is current at once. A later one is switched to by the launcher, which keeps the
; one before it and returns to it should the new one not start.
Function Switch
  ${If} $Current == ""
  ${OrIf} $Current == "${VERSION}"
    !insertmacro WRITE_LINE "current" "${VERSION}"
    Delete "$INSTDIR\next"
    Delete "$INSTDIR\trying"
  ${Else}
    Call LeaveUnproven
    Call DropOldest
    !insertmacro WRITE_LINE "next" "${VERSION}"
  ${EndIf}
  Delete "$INSTDIR\failed"
  !insertmacro WRITE_LINE "channel" "nsis"
FunctionEnd

Function DesktopIcon
  CreateShortcut "$DESKTOP\Skein.lnk" "$INSTDIR\Skein.exe" "" "$INSTDIR\Skein.exe" 0 \
    SW_SHOWNORMAL "" "$(SHORTCUT_TIP)"
FunctionEnd

Function Shortcuts
  SetOutPath "$INSTDIR"
  CreateShortcut "$SMPROGRAMS\Skein.lnk" "$INSTDIR\Skein.exe" "" "$INSTDIR\Skein.exe" 0 \
    SW_SHOWNORMAL "" "$(SHORTCUT_TIP)"
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/DESKTOP" $R1
  ${IfNot} ${Errors}
    Call DesktopIcon
  ${EndIf}
FunctionEnd

; Bundles open with Skein; models and states are offered it and keep what they open with.
Function Associations
  WriteRegStr HKCU "${CLASSES}\.skein" "" "Skein.Bundle"
  WriteRegStr HKCU "${CLASSES}\Skein.Bundle" "" "$(BUNDLE)"
  WriteRegStr HKCU "${CLASSES}\Skein.Bundle\DefaultIcon" "" "$INSTDIR\Skein.exe,0"
  WriteRegStr HKCU "${CLASSES}\Skein.Bundle\shell\open" "" "$(OPEN_WITH)"
  WriteRegStr HKCU "${CLASSES}\Skein.Bundle\shell\open\command" "" '"$INSTDIR\Skein.exe" "%1"'
  WriteRegStr HKCU "${CLASSES}\Applications\Skein.exe" "FriendlyAppName" "Skein"
  WriteRegStr HKCU "${CLASSES}\Applications\Skein.exe\shell\open\command" "" \
    '"$INSTDIR\Skein.exe" "%1"'
  !macro OFFER TYPE
    WriteRegStr HKCU "${CLASSES}\Applications\Skein.exe\SupportedTypes" "${TYPE}" ""
  !macroend
  !insertmacro OFFER ".skein"
  !insertmacro OFFER ".safetensors"
  !insertmacro OFFER ".pth"
  !insertmacro OFFER ".gguf"
  !insertmacro OFFER ".state"
  System::Call 'shell32::SHChangeNotify(i 0x8000000, i 0, p 0, p 0)' ; SHCNE_ASSOCCHANGED
FunctionEnd

Function Register
  WriteRegStr HKCU "${KEY}" "DisplayName" "Skein"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\Skein.exe,0"
  WriteRegStr HKCU "${KEY}" "Publisher" "Skein"
  WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\Uninstall.exe"'
  WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\Uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
FunctionEnd

Section "Skein"
  Call LookAtFolder
  ${If} $R0 != ""
    Call Tell
    SetErrorLevel 2
    Abort
  ${EndIf}
  Call ReadCurrent
  Call AskBeforeOlder
  Call WaitForSkein
  Call MakeFolder
  Call RemoveLeftovers
  SetOutPath "${PART}"
  SetOverwrite on
!if "${BARE}" != "1"
  File /r "${TREE}${SEP}*"
!endif
  Call TakePlace
  File "/oname=Skein.exe.new" "${WORK}${SEP}Skein.exe"
  !insertmacro REPLACE "Skein.exe"
  File "/oname=skein.com.new" "${WORK}${SEP}skein.com"
  !insertmacro REPLACE "skein.com"
  WriteUninstaller "$INSTDIR\Uninstall.exe"
  Call Switch
  Call Shortcuts
  Call Associations
  Call Register
SectionEnd

; A setup that did not get to its end leaves what it found.
Function .onInstFailed
  SetOutPath "$TEMP"
  RMDir /r "${PART}"
  RMDir "$INSTDIR\versions"
  RMDir "$INSTDIR"
FunctionEnd
