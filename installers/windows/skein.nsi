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

; ---- What both programs use -------------------------------------------------------------------

!macro BOTH UN

; $R0: a sentence. In a window it is a message, else it goes to standard error as UTF-8.
Function ${UN}Tell
  DetailPrint "$R0"
  ${IfNot} ${Silent}
    MessageBox MB_OK|MB_ICONSTOP "$R0"
    Return
  ${EndIf}
  System::Alloc 8192
  Pop $R1
  System::Call 'kernel32::WideCharToMultiByte(i 65001, i 0, w "$R0$\n", i -1, p R1, i 8192, p 0, p 0) i .R2'
  IntOp $R2 $R2 - 1
  System::Call 'kernel32::GetStdHandle(i -12) p .R3'
  System::Call 'kernel32::WriteFile(p R3, p R1, i R2, *i .R4, p 0)'
  System::Free $R1
FunctionEnd

; $R0 := the first line of the file $R0 of $INSTDIR, "" where there is none.
Function ${UN}ReadLine
  Push $R1
  ClearErrors
  FileOpen $R1 "$INSTDIR\$R0" r
  StrCpy $R0 ""
  ${IfNot} ${Errors}
    FileRead $R1 $R0 60
    FileClose $R1
    ${TrimNewLines} $R0 $R0
  ${EndIf}
  ClearErrors
  Pop $R1
FunctionEnd

; $R0 := "1" when a Skein of $INSTDIR runs: Windows lets nobody write to a program that does.
Function ${UN}Runs
  Push $R1
  Push $R2
  Push $R3
  StrCpy $R0 ""
  ClearErrors
  FindFirst $R1 $R2 "$INSTDIR\versions\*.*"
  ${DoUntil} ${Errors}
    ${For} $R3 1 2
      ${If} $R3 == 1
        StrCpy $R4 "$INSTDIR\versions\$R2\python\pythonw.exe"
      ${Else}
        StrCpy $R4 "$INSTDIR\versions\$R2\python\python.exe"
      ${EndIf}
      ${If} ${FileExists} "$R4"
        ClearErrors
        FileOpen $R5 "$R4" a
        ${If} ${Errors}
          StrCpy $R0 "1"
        ${Else}
          FileClose $R5
        ${EndIf}
      ${EndIf}
    ${Next}
    ClearErrors
    FindNext $R1 $R2
  ${Loop}
  FindClose $R1
  ClearErrors
  Pop $R3
  Pop $R2
  Pop $R1
FunctionEnd

; Goes on when no Skein of $INSTDIR runs, or ends.
Function ${UN}WaitForSkein
  ${Do}
    Call ${UN}Runs
    ${If} $R0 == ""
      Return
    ${EndIf}
    ${If} ${Silent}
      StrCpy $R0 "$(RUNNING)"
      Call ${UN}Tell
      SetErrorLevel 2
      Quit
    ${EndIf}
    ${If} ${Cmd} `MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(RUNNING)" IDCANCEL`
      SetErrorLevel 2
      Quit
    ${EndIf}
  ${Loop}
FunctionEnd

Function ${UN}ChooseLanguage
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/LANG=" $R1
  ${IfNot} ${Errors}
    StrCpy $LANGUAGE $R1
  ${EndIf}
  ClearErrors
FunctionEnd

; Only one setup or uninstaller at a time.
Function ${UN}BeAlone
  System::Call 'kernel32::CreateMutexW(p 0, i 0, w "Local\SkeinSetup") p .R1 ?e'
  Pop $R2
  ${If} $R2 == 183 ; ERROR_ALREADY_EXISTS
    StrCpy $R0 "$(TWO_SETUPS)"
    Call ${UN}Tell
    SetErrorLevel 2
    Quit
  ${EndIf}
FunctionEnd

!macroend
!insertmacro BOTH ""
!insertmacro BOTH "un."

; ---- Setup ------------------------------------------------------------------------------------

!macro REFUSE TEXT
  StrCpy $R0 "${TEXT}"
  Call Tell
  SetErrorLevel 2
  Abort
!macroend

; Replaces the file NAME of $INSTDIR by NAME.new, whole or not at all.
!macro REPLACE NAME
  System::Call 'kernel32::MoveFileExW(w "$INSTDIR\${NAME}.new", w "$INSTDIR\${NAME}", i 9) i .R1'
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
  ${VersionCompare} "$Current" "${VERSION}" $R0
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
  ${If} $R0 == ""
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
  RMDir /r "$INSTDIR\versions\$R0"
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
  File /r "${TREE}${SEP}*"
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

; ---- Uninstaller ------------------------------------------------------------------------------

; $R0 := kilobytes of the folder or file $R0, each file's rounded up. What a link leads to is not
; looked at. (GetSize of FileFunc.nsh counts a file's bytes in 32 bits; models have more.)
Function un.SizeOf
  Push $R1
  Push $R2
  Push $R3
  Push $R4
  StrCpy $R2 0
  ; WIN32_FILE_ATTRIBUTE_DATA: attributes, three times, the size's upper and lower half
  System::Call '*(i, l, l, l, i, i) p .R1'
  System::Call 'kernel32::GetFileAttributesExW(w R0, i 0, p R1)'
  System::Call '*$R1(i .R4, l, l, l, i .R2, i .R3)'
  System::Free $R1
  IntOp $R1 $R4 & 0x410
  ${If} $R1 = 0
    System::Int64Op $R2 * 4194304
    Pop $R2
    System::Int64Op $R3 & 0xFFFFFFFF
    Pop $R3
    System::Int64Op $R3 + 1023
    Pop $R3
    System::Int64Op $R3 / 1024
    Pop $R3
    IntPtrOp $R2 $R2 + $R3
  ${ElseIf} $R1 = 16 ; a folder, and no link to one
    StrCpy $R2 0
    StrCpy $R1 $R0
    ClearErrors
    FindFirst $R3 $R4 "$R1\*.*"
    ${DoUntil} ${Errors}
      ${If} $R4 != "."
      ${AndIf} $R4 != ".."
        StrCpy $R0 "$R1\$R4"
        Call un.SizeOf
        IntPtrOp $R2 $R2 + $R0
      ${EndIf}
      ClearErrors
      FindNext $R3 $R4
    ${Loop}
    FindClose $R3
  ${Else}
    StrCpy $R2 0
  ${EndIf}
  ClearErrors
  StrCpy $R0 $R2
  Pop $R4
  Pop $R3
  Pop $R2
  Pop $R1
FunctionEnd

; $R1 := "models", "cache" or "chats": what the entry $R1 of the data folder counts as.
Function un.KindOf
  ${Select} $R1
    ${Case} "models"
      StrCpy $R1 "models"
    ${Case4} "packs" "gpu_packs.json" "Cache" "Logs"
      StrCpy $R1 "cache"
    ${Default}
      StrCpy $R1 "chats"
  ${EndSelect}
FunctionEnd

Function un.Measure
  StrCpy $ModelsKb 0
  StrCpy $ChatsKb 0
  StrCpy $CacheKb 0
  ClearErrors
  FindFirst $0 $1 "$DataFolder\*.*"
  ${DoUntil} ${Errors}
    ${If} $1 != "."
    ${AndIf} $1 != ".."
      StrCpy $R0 "$DataFolder\$1"
      Call un.SizeOf
      StrCpy $R1 $1
      Call un.KindOf
      ${Select} $R1
        ${Case} "models"
          IntPtrOp $ModelsKb $ModelsKb + $R0
        ${Case} "cache"
          IntPtrOp $CacheKb $CacheKb + $R0
        ${Default}
          IntPtrOp $ChatsKb $ChatsKb + $R0
      ${EndSelect}
    ${EndIf}
    ClearErrors
    FindNext $0 $1
  ${Loop}
  FindClose $0
  ClearErrors
FunctionEnd

; Deletes what $R9 ("models", "cache" or "chats") stands for.
Function un.Drop
  ClearErrors
  FindFirst $0 $1 "$DataFolder\*.*"
  ${DoUntil} ${Errors}
    StrCpy $R1 $1
    Call un.KindOf
    ${If} $1 != "."
    ${AndIf} $1 != ".."
    ${AndIf} $R1 == $R9
      ${If} ${FileExists} "$DataFolder\$1\*.*"
        RMDir /r "$DataFolder\$1"
      ${Else}
        Delete "$DataFolder\$1"
      ${EndIf}
    ${EndIf}
    ClearErrors
    FindNext $0 $1
  ${Loop}
  FindClose $0
  ClearErrors
FunctionEnd

; $0 := kilobytes $0 in words.
Function un.InWords
  ${If} $0 == 0
    StrCpy $0 "$(UN_NONE)"
  ${ElseIf} $0 < 1024
    StrCpy $0 "$0 KB"
  ${ElseIf} $0 < 1048576
    IntOp $0 $0 / 1024
    StrCpy $0 "$0 MB"
  ${Else}
    IntPtrOp $1 $0 * 10
    IntPtrOp $1 $1 / 1048576
    IntOp $0 $1 / 10
    IntOp $1 $1 % 10
    StrCpy $0 "$0.$1 GB"
  ${EndIf}
FunctionEnd

!macro BOX TOP KB TEXT BOX
  StrCpy $0 ${KB}
  Call un.InWords
  ${NSD_CreateCheckbox} 0 ${TOP}u 100% 12u "${TEXT}"
  Pop ${BOX}
  ${If} ${KB} == 0
    EnableWindow ${BOX} 0
  ${EndIf}
!macroend

Function un.AskPage
  !insertmacro MUI_HEADER_TEXT "$(UN_TITLE)" "$(UN_SUBTITLE)"
  Call un.Measure
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 44u "$(UN_TEXT)"
  Pop $0
  !insertmacro BOX 52 $ModelsKb "$(UN_MODELS)" $Box1
  !insertmacro BOX 68 $ChatsKb "$(UN_CHATS)" $Box2
  !insertmacro BOX 84 $CacheKb "$(UN_CACHE)" $Box3
  GetDlgItem $0 $HWNDPARENT 1
  SendMessage $0 ${WM_SETTEXT} 0 "STR:$(^UninstallBtn)"
  nsDialogs::Show
FunctionEnd

Function un.LeaveAsk
  ${NSD_GetState} $Box1 $DropModels
  ${NSD_GetState} $Box2 $DropChats
  ${NSD_GetState} $Box3 $DropCache
  ${If} $DropChats == ${BST_CHECKED}
    ${If} ${Cmd} `MessageBox MB_YESNO|MB_ICONEXCLAMATION|MB_DEFBUTTON2 "$(UN_SURE)" IDNO`
      Abort
    ${EndIf}
  ${EndIf}
FunctionEnd

Function un.onInit
  Call un.ChooseLanguage
  Call un.BeAlone
  StrCpy $DataFolder "$LOCALAPPDATA\Skein"
  ${If} ${Silent}
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/WITH-DATA" $R1
    ${IfNot} ${Errors}
      StrCpy $DropModels 1
      StrCpy $DropChats 1
      StrCpy $DropCache 1
    ${EndIf}
    ClearErrors
  ${EndIf}
FunctionEnd

Section "Uninstall"
  ${IfNot} ${FileExists} "$INSTDIR\channel"
  ${OrIfNot} ${FileExists} "$INSTDIR\versions\*.*"
    StrCpy $R0 "$(UN_NOT_OURS)"
    Call un.Tell
    SetErrorLevel 2
    Abort
  ${EndIf}
  Call un.WaitForSkein
  SetOutPath "$TEMP"
  Delete "$SMPROGRAMS\Skein.lnk"
  Delete "$DESKTOP\Skein.lnk"
  DeleteRegKey HKCU "${CLASSES}\Skein.Bundle"
  DeleteRegKey HKCU "${CLASSES}\Applications\Skein.exe"
  ReadRegStr $0 HKCU "${CLASSES}\.skein" ""
  ${If} $0 == "Skein.Bundle"
    DeleteRegKey HKCU "${CLASSES}\.skein"
  ${EndIf}
  DeleteRegKey HKCU "${KEY}"
  System::Call 'shell32::SHChangeNotify(i 0x8000000, i 0, p 0, p 0)'
  ; Only what is ours, by name: the folder may hold more.
  RMDir /r "$INSTDIR\versions"
  Delete "$INSTDIR\Skein.exe"
  Delete "$INSTDIR\skein.com"
  Delete "$INSTDIR\current"
  Delete "$INSTDIR\next"
  Delete "$INSTDIR\previous"
  Delete "$INSTDIR\trying"
  Delete "$INSTDIR\failed"
  Delete "$INSTDIR\rolled_back"
  Delete "$INSTDIR\Uninstall.exe"
  ${If} ${FileExists} "$INSTDIR\versions\*.*"
    StrCpy $R0 "$(UN_LEFT)"
    Call un.Tell
  ${Else}
    Delete "$INSTDIR\channel"
  ${EndIf}
  RMDir "$INSTDIR"
  ${If} $DropModels == 1
    StrCpy $R9 "models"
    Call un.Drop
  ${EndIf}
  ${If} $DropChats == 1
    StrCpy $R9 "chats"
    Call un.Drop
  ${EndIf}
  ${If} $DropCache == 1
    StrCpy $R9 "cache"
    Call un.Drop
  ${EndIf}
  RMDir "$DataFolder"
SectionEnd
